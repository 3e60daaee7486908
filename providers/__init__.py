"""Talks to models on Amazon Bedrock, and to the local endpoint in the same way. Knows nothing of metrics or the app."""
