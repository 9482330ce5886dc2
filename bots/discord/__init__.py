"""The Discord bot: questions, standing and requests in chat, and direct messages for what is owed there."""
