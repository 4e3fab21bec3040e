"""What the OpenAI and Anthropic routes share: conversations to prompts, samples to text, reasoning and tool calls."""
