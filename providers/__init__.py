"""Talks to models on Amazon Bedrock, and to the local endpoint in the same way. Knows nothing of metrics or the app."""

from providers.chat import ChatConversation, ChatMessage, StreamingChatApp
from providers.client import BedrockClient
from providers.errors import ProviderError, StreamInterruptedError, UnknownModelError
from providers.session import StreamingSession, handle_stream_interruptions

__all__ = [
    "BedrockClient",
    "ChatConversation",
    "ChatMessage",
    "ProviderError",
    "StreamInterruptedError",
    "StreamingChatApp",
    "StreamingSession",
    "UnknownModelError",
    "handle_stream_interruptions",
]
