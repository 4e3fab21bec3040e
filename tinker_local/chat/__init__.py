"""Shared by the OpenAI and Anthropic routes: conversations to prompts, samples to text, reasoning and tool calls."""
