"""One model has many names: with dates, regions, makers and paths. Which names of the table may be meant."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

# Under which name the table has a provider, where that is not its own.
_PROVIDERS = {
    "azure_openai": "azure",
    "azure_text": "azure",
    "bedrock_converse": "bedrock",
    "bedrock_mantle": "bedrock",
    "cohere_chat": "cohere",
    "fireworks": "fireworks_ai",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "google": "gemini",
    "google_ai": "gemini",
    "jina": "jina_ai",
    "moonshotai": "moonshot",
    "nvidia": "nvidia_nim",
    "text-completion-codestral": "codestral",
    "text-completion-inception": "inception",
    "text-completion-openai": "openai",
    "together": "together_ai",
    "vertex": "vertex_ai",
    "voyageai": "voyage",
    "x_ai": "xai",
}
# Who answers at a host, for providers that are configured by their address alone.
_HOSTS = {
    "api.anthropic.com": "anthropic",
    "api.cerebras.ai": "cerebras",
    "api.cohere.ai": "cohere",
    "api.cohere.com": "cohere",
    "api.deepinfra.com": "deepinfra",
    "api.deepseek.com": "deepseek",
    "api.fireworks.ai": "fireworks_ai",
    "api.groq.com": "groq",
    "api.hyperbolic.xyz": "hyperbolic",
    "api.jina.ai": "jina_ai",
    "api.minimax.io": "minimax",
    "api.mistral.ai": "mistral",
    "api.moonshot.ai": "moonshot",
    "api.novita.ai": "novita",
    "api.openai.com": "openai",
    "api.perplexity.ai": "perplexity",
    "api.sambanova.ai": "sambanova",
    "api.studio.nebius.com": "nebius",
    "api.together.ai": "together_ai",
    "api.together.xyz": "together_ai",
    "api.voyageai.com": "voyage",
    "api.x.ai": "xai",
    "api.z.ai": "zai",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "dashscope.aliyuncs.com": "dashscope",
    "generativelanguage.googleapis.com": "gemini",
    "integrate.api.nvidia.com": "nvidia_nim",
    "openrouter.ai": "openrouter",
}
_AZURE = ".openai.azure.com"
_PATHS = re.compile(r"^(?:models/|publishers/[^/]+/models/|accounts/[^/]+/(?:models|deployments)/)")
_ARN = re.compile(r"^arn:aws[^:]*:bedrock:[^:]*:[^:]*:[a-z-]+/")
_REGION = re.compile(r"^(?:us|eu|apac|au|jp|ca|sa|me|af|us-gov|global)\.(?=[a-z0-9-]+\.)")
_TUNED = re.compile(r"^(ft:[^:]+):.*$")
_BEDROCK_VERSION = re.compile(r"(?:-v\d+)?(?::\d+)?$")
_DATE = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|20\d{6}|\d{2}-\d{4}|\d{2}-\d{2}|\d{4}|\d{3})$")
_LATEST = re.compile(r"(?:-latest|@default|@latest)$")


def table_provider(name: str) -> str:
    """The table's name of a provider."""
    name = name.lower()
    if name.startswith("vertex_ai-"):
        return "vertex_ai"
    return _PROVIDERS.get(name, _PROVIDERS.get(name.replace("-", "_"), name))


def provider_at(base_url: str) -> str:
    """The provider that answers at an address, "" for one that the table cannot know."""
    host = (urlsplit(base_url).hostname or "").lower()
    if host.endswith(_AZURE):
        return "azure"
    return _HOSTS.get(host, "")


def candidates(model: str) -> Iterator[str]:
    """The names that `model` may have in the table, the most exact one first."""
    seen: set[str] = set()
    for name in _forms(model.lower()):
        if name and name not in seen:
            seen.add(name)
            yield name


def _forms(model: str) -> Iterator[str]:
    yield model
    model = _TUNED.sub(r"\1", _ARN.sub("", _PATHS.sub("", model)))
    yield model
    for name in (model, _REGION.sub("", model)):
        yield name
        yield _BEDROCK_VERSION.sub("", name)
    for name in (model, _BEDROCK_VERSION.sub("", _REGION.sub("", model))):
        bare = _LATEST.sub("", name)
        yield bare
        yield f"{bare}-latest"
        yield _DATE.sub("", bare)
