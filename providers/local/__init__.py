"""A Bedrock-compatible endpoint on loopback: a small real model and simulated ones, in the service's wire format."""
