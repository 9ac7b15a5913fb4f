"""Prompts that the classifier compares with, beside those an operator adds: tasks of many kinds, none of
anybody's data.
"""

HARD = (
    "Prove that there are infinitely many primes of the form 4k + 3, and explain each step of the proof.",
    "Find the race condition in this concurrent queue and rewrite it so that it is lock-free.",
    "Design a database schema and a migration plan for a multi-tenant billing system with prorated upgrades.",
    "Compare three strategies for sharding this service and the trade-offs of each under network partitions.",
    "Derive the gradient of this loss function with respect to the weights and check the result numerically.",
    "Analyse the contract below, list the obligations that conflict, and propose new wording.",
    "Refactor this module into smaller functions without changing behaviour and test the edge cases.",
    "Explain step by step why the optimizer diverges here, and what would have to change for it to converge.",
    "Solve the system of differential equations with these boundary conditions and discuss stability.",
    "Plan a six-month roadmap for moving a monolith to services, with risks, dependencies and staffing.",
    "Write a parser for this grammar with error recovery and a complexity bound for ambiguous input.",
    "Given this stack trace and these logs, find the root cause of the leak and verify a fix.",
)
EASY = (
    "Hello, how are you today?",
    "Translate good morning into French.",
    "What is the capital of Australia?",
    "Give me a synonym for happy.",
    "Thanks, that was helpful!",
    "Fix the spelling in this sentence.",
    "What time zone is Lisbon in?",
    "Summarise this paragraph in one sentence.",
    "Say yes or no: is 7 a prime number?",
    "Write a short birthday wish for my colleague.",
    "Convert 12 kilometres to miles.",
    "Is this review positive or negative?",
)
