"""`POST /v1/chat/completions`: messages with signals and regions in, text with regions out, whole or streamed."""
