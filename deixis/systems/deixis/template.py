"""The union's chat template: signals first, then turns between special tokens, each answer closed by `<eos>`."""

CHAT_TEMPLATE = (
    "<bos>{% for message in messages %}{% if message['role'] == 'user' %}"
    "{% if message['content'] is string %}<user>{{ message['content'] }}{% else %}"
    "{% for piece in message['content'] if piece['type'] != 'text' %}<{{ piece['type'] }}>{% endfor %}<user>"
    "{% for piece in message['content'] if piece['type'] == 'text' %}{{ piece['text'] }}{% endfor %}{% endif %}"
    "{% else %}<assistant>{{ message['content'] }}<eos>{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
