"""The endpoints there are next to chat."""

from llm_gateway.endpoints.completions import Completions
from llm_gateway.endpoints.embeddings import Embeddings
from llm_gateway.endpoints.endpoint import Endpoint
from llm_gateway.endpoints.gemini_client import GeminiClient
from llm_gateway.endpoints.images import Edits, Generations, Variations
from llm_gateway.endpoints.moderations import Moderations
from llm_gateway.endpoints.rerank import Rerank
from llm_gateway.endpoints.speech import Speech
from llm_gateway.endpoints.transcription import Transcriptions, Translations

ENDPOINTS: tuple[Endpoint, ...] = (
    Embeddings(),
    GeminiClient(),
    Rerank(),
    Moderations(),
    Generations(),
    Edits(),
    Variations(),
    Speech(),
    Transcriptions(),
    Translations(),
    Completions(),
)
