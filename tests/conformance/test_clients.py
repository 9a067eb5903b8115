"""Clients of other APIs against quern serve: openai, ollama, LangChain and lm-evaluation-harness.

One server has SmolLM2-135M-Instruct in f32, its keys and values, too, since transformers has them so. So small a model follows no instructions that matter here: where a form is asked
for, the server holds it to one.
"""

import json
import time
from typing import Literal

import langchain_openai
import lm_eval
import lm_eval.tasks
import ollama
import openai
import pydantic
import pytest
import torch
import transformers
from server import Server

QUESTION = "What is the capital of France?"
CALL = r'\{"name": "weather", "parameters": \{"city": "(Paris|Oslo)"\}\}'  # what it would write if it were larger
WEATHER = {"name": "weather", "description": "The weather in a city",
           "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}


class City(pydantic.BaseModel):
    name: Literal["Paris", "Oslo"]
    country: Literal["France", "Norway"]


@pytest.fixture(scope="module")
def server(quern, smollm2_folder, tmp_path_factory):
    with Server(quern, smollm2_folder, "--cache-dtype", "f32", "--context", 1024,
                "--data-dir", tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


@pytest.fixture(scope="module")
def said(client):
    """What the model answers to the question, whoever asks."""
    return chat(client).choices[0].message.content


def chat(client, **more):
    return client.chat.completions.create(model="smollm2", messages=[{"role": "user", "content": QUESTION}], temperature=0,
                                          max_tokens=48, **more)


def test_openai_chat(client):
    assert [model.id for model in client.models.list()] == ["smollm2"]
    answer = chat(client, logprobs=True, top_logprobs=2)
    assert "Paris" in answer.choices[0].message.content
    assert answer.usage.completion_tokens == len(answer.choices[0].logprobs.content)
    with pytest.raises(openai.NotFoundError, match="there are: smollm2"):
        client.chat.completions.create(model="gpt-4", messages=[{"role": "user", "content": "hi"}])
    with pytest.raises(openai.BadRequestError, match="temperature must be"):
        client.chat.completions.create(model="smollm2", messages=[{"role": "user", "content": "hi"}], temperature=-1)


def test_openai_stream(client, said):
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == said
    assert chunks[-1].usage.completion_tokens > 0


def test_openai_tools(client):
    tools = [{"type": "function", "function": WEATHER}]
    [call] = chat(client, tools=tools, extra_body={"regex": CALL}).choices[0].message.tool_calls
    assert call.function.name == "weather" and json.loads(call.function.arguments)["city"] in ("Paris", "Oslo")
    deltas = [chunk.choices[0].delta.tool_calls[0] for chunk in chat(client, tools=tools, stream=True, extra_body={"regex": CALL})
              if chunk.choices[0].delta.tool_calls]
    assert "".join(delta.function.arguments for delta in deltas) == call.function.arguments
    messages = [{"role": "user", "content": QUESTION}, {"role": "assistant", "tool_calls": [call.model_dump()]},
                {"role": "tool", "tool_call_id": call.id, "content": "sunny"}]
    assert client.chat.completions.create(model="smollm2", messages=messages, tools=tools, max_tokens=4).choices[0].message.content


def test_openai_json_schema(client):
    answer = client.chat.completions.parse(model="smollm2", messages=[{"role": "user", "content": QUESTION}], response_format=City,
                                           temperature=0)
    assert isinstance(answer.choices[0].message.parsed, City)


def test_openai_responses(client, said):
    first = client.responses.create(model="smollm2", input=QUESTION, temperature=0, max_output_tokens=48)
    assert first.output_text == said
    assert client.responses.retrieve(first.id).output_text == said
    second = client.responses.create(model="smollm2", input="And of Norway?", previous_response_id=first.id, max_output_tokens=4)
    assert second.usage.input_tokens > first.usage.total_tokens
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    parsed = client.responses.parse(model="smollm2", input=QUESTION, text_format=City, temperature=0)
    assert isinstance(parsed.output_parsed, City)


def test_openai_response_streams(client, said):
    with client.responses.stream(model="smollm2", input=[{"role": "user", "content": QUESTION}], temperature=0,
                                 max_output_tokens=48, top_logprobs=2) as stream:
        events = list(stream)
        assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == said
    raw = client.responses.create(model="smollm2", input=QUESTION, stream=True, tools=[{"type": "function", **WEATHER}],
                                  extra_body={"regex": CALL})
    final = [event for event in raw][-1]
    [call] = final.response.output
    assert final.type == "response.completed" and call.type == "function_call" and call.name == "weather"
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    answer = client.responses.create(model="smollm2", input=[output], previous_response_id=final.response.id, max_output_tokens=4)
    assert answer.output_text


def test_openai_batches(client, said):
    body = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0, "max_tokens": 48}
    lines = [{"custom_id": str(i), "method": "POST", "url": "/v1/chat/completions", "body": body | more}
             for i, more in enumerate([{}, {}, {"temperature": "hot"}])]
    file = client.files.create(file=("lines.jsonl", "\n".join(map(json.dumps, lines)).encode()), purpose="batch")
    assert [entry.id for entry in client.files.list()] == [file.id]
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
                                  metadata={"of": "tests"})
    end = time.monotonic() + 60
    while batch.status in ("validating", "in_progress", "finalizing") and time.monotonic() < end:
        time.sleep(0.1)
        batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed" and batch.metadata == {"of": "tests"}
    assert (batch.request_counts.total, batch.request_counts.completed, batch.request_counts.failed) == (3, 2, 1)
    rows = [json.loads(row) for row in client.files.content(batch.output_file_id).text.splitlines()]
    assert {row["response"]["body"]["choices"][0]["message"]["content"] for row in rows} == {said}
    assert json.loads(client.files.content(batch.error_file_id).text)["custom_id"] == "2"
    assert [entry.id for entry in client.batches.list()] == [batch.id]
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)
    assert client.files.delete(file.id).deleted


def test_ollama(server, said):
    client = ollama.Client(host=server.url)
    ask = {"model": "smollm2:latest", "options": {"temperature": 0, "num_predict": 48}}
    messages = [{"role": "user", "content": QUESTION}]
    assert client.list().models[0].model == "smollm2" and client.ps().models[0].model == "smollm2"
    assert "completion" in client.show("smollm2").capabilities
    answer = client.chat(messages=messages, **ask)
    assert answer.message.content == said and answer.done_reason in ("stop", "length") and answer.eval_duration > 0
    assert "".join(part.message.content for part in client.chat(messages=messages, stream=True, **ask)) == said
    assert client.generate(prompt=QUESTION, **ask).response == said
    formed = client.chat(messages=messages, format=City.model_json_schema(), model="smollm2", options={"temperature": 0})
    assert City.model_validate_json(formed.message.content)
    with pytest.raises(ollama.ResponseError, match="there are: smollm2"):
        client.chat(model="llama3", messages=messages)


@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
def test_langchain(server, said, responses):
    model = langchain_openai.ChatOpenAI(model="smollm2", base_url=f"{server.url}/v1", api_key="none", temperature=0, max_tokens=48,
                                        use_responses_api=responses, max_retries=0)
    assert model.invoke(QUESTION).text == said
    assert "".join(chunk.text for chunk in model.stream(QUESTION)) == said
    formed = model.with_structured_output(City, method="json_schema").invoke(QUESTION)
    assert isinstance(formed, City)
    tool = {"type": "function", "function": WEATHER}
    assert model.bind_tools([tool]).invoke(QUESTION, extra_body={"regex": CALL}).tool_calls[0]["name"] == "weather"


TASK = """
task: tiny
dataset_path: json
dataset_kwargs: {data_files: {test: %s}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: answer
metric_list: [{metric: acc}]
"""
ROWS = [{"question": "The capital of France is", "choices": ["Paris", "Oslo", "a river"], "answer": 0},
        {"question": "Two plus two is", "choices": ["four", "five hundred"], "answer": 0},
        {"question": "Snow is", "choices": ["white and cold", "green"], "answer": 0}]


def test_lm_evaluation_harness(server, smollm2_folder, measured, tmp_path):
    """Its log-probabilities, by token ids with echo, are those of transformers."""
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (tmp_path / "tiny.yaml").write_text(TASK % (tmp_path / "rows.jsonl"))
    results = lm_eval.simple_evaluate(
        model="local-completions", tasks=["tiny"], task_manager=lm_eval.tasks.TaskManager(include_path=str(tmp_path)),
        model_args={"model": "smollm2", "base_url": f"{server.url}/v1/completions", "tokenizer": str(smollm2_folder),
                    "tokenizer_backend": "huggingface", "max_length": 512, "batch_size": 2}, bootstrap_iters=0)
    tokenizer = transformers.AutoTokenizer.from_pretrained(smollm2_folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(smollm2_folder, dtype=torch.float32)
    scored = 0
    for sample in results["samples"]["tiny"]:
        for (context, continuation), [[logprob, greedy]] in zip(sample["arguments"], sample["resps"]):
            ids = tokenizer(context + continuation, return_tensors="pt").input_ids
            begin = len(tokenizer(context).input_ids)
            with torch.no_grad():
                logprobs = model(ids).logits[0, begin - 1:-1].log_softmax(-1)
            theirs = logprobs.gather(1, ids[0, begin:, None])
            measured("difference of log-probability", abs(float(logprob) - theirs.sum().item()))
            assert float(logprob) == pytest.approx(theirs.sum().item(), abs=1e-3)
            assert greedy == bool((logprobs.argmax(-1) == ids[0, begin:]).all())
            scored += 1
    assert scored == sum(len(row["choices"]) for row in ROWS)
    measured("accuracy", results["results"]["tiny"]["acc,none"])
