"""Conversations of every kind that chat templates tell apart."""

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "The weather of a city, \"now\"", "parameters": {
            "type": "object", "properties": {"city": {"type": "string", "description": "e.g. Zürich"},
                                             "unit": {"type": "string", "enum": ["c", "f"]}, "days": {"type": "integer"}},
            "required": ["city"]}}},
    {"type": "function", "function": {
        "name": "search", "description": "<docs> & more", "parameters": {
            "type": "object", "properties": {"query": {"type": ["string", "null"]},
                                             "filters": {"type": "array", "items": {"type": "object", "properties": {
                                                 "key": {"anyOf": [{"type": "number"}, {"type": "boolean"}]}}}}}}}}]


def say(role, content, **more):
    return {"role": role, "content": content, **more}


def call(name, arguments, identity="abcdefghi"):
    return {"type": "function", "id": identity, "function": {"name": name, "arguments": arguments}}


CONVERSATIONS = [
    [say("user", "Hello!")],
    [say("system", " Be brief.\n"), say("user", "  One  "), say("assistant", " Two\n"), say("user", "Three\n\n")],
    [say("system", ""), say("user", ""), say("assistant", ""), say("user", "x")],
    [say("system", "Ты помощник 🤖"), say("user", "Straße 日本語 <b>&amp;</b> 'q' \"d\" \\n {{ x }} {% y %}"),
     say("assistant", "👍🏽 e\u0301"), say("user", "ok?")],
    [say("user", "q"), say("assistant", "an answer that ends it")],
    [say("user", "q"), say("assistant", "<think>\nwhy\n</think>\n\nanswer"), say("user", "more")],
    [say("user", "q"), say("assistant", "answer", reasoning_content="because"), say("user", "more")],
    [say("system", "Use tools."), say("user", "Weather?"),
     say("assistant", None, tool_calls=[call("get_weather", {"city": "Zürich", "days": 3, "x": [1.5, True, None, {}]})]),
     say("tool", '{"temp": 21}', name="get_weather", tool_call_id="abcdefghi"), say("assistant", "21"), say("user", "thanks")],
    [say("user", "w?"), say("assistant", "Let me look.", tool_calls=[call("get_weather", {"city": "A"}),
                                                                       call("search", '{"query": "q"}', "bcdefghij")]),
     say("tool", "1", name="get_weather"), say("tool", "two", name="search")],
    [say("user", [{"type": "text", "text": "look "}, {"type": "image"}, {"type": "text", "text": " here"}])],
    [say("developer", "Dev says"), say("user", "hi")],
    [say("user", "a"), say("user", "b")],
    [say("user", "a"), say("critic", "b")],
]


def requests():
    """Every conversation with and without tools, with and without the header of an answer, and with thinking off."""
    rows = [{"messages": messages, "add_generation_prompt": prompt, **({"tools": TOOLS} if tools else {})}
            for messages in CONVERSATIONS for tools in (False, True) for prompt in (False, True)]
    return rows + [{**row, "chat_template_kwargs": {"enable_thinking": False}} for row in rows if row["add_generation_prompt"]]
