"""llama.cpp (xllamacpp) as the other side of a comparison."""

import ctypes
import json
from pathlib import Path

import xllamacpp

NEW_TOKENS = 48
CACHE_TYPES = {"f32": 0, "f16": 1}  # ggml_type
EXACT = 0.01  # nats of difference where both compute in f32


class Peer:
    """One model in llama.cpp."""

    name = "llama.cpp, xllamacpp's build for AVX2"

    def __init__(self, path, threads=1, flash_attention=True, cache="f32"):
        """Its flash attention adds up in f16."""
        params = xllamacpp.CommonParams()
        if not flash_attention:
            params.flash_attn_type = xllamacpp.llama_flash_attn_type(0)
        params.model.path = str(path)
        params.n_ctx = 1024
        params.warmup = False
        params.cache_type_k = params.cache_type_v = CACHE_TYPES[cache]
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        self.server = xllamacpp.Server(params)

    def complete(self, prompt, tokens=NEW_TOKENS, alternatives=2):
        """The greedy continuation: [(id, logprob, logprob of the runner-up)]."""
        answer = self.server.handle_completions({"prompt": prompt, "n_predict": tokens, "temperature": 0, "n_probs": alternatives,
                                                 "cache_prompt": False})
        return self.steps(answer)

    def chat(self, question):
        answer = self.server.handle_chat_completions({"messages": [{"role": "user", "content": question}], "max_tokens": NEW_TOKENS,
                                                      "temperature": 0, "logprobs": True, "top_logprobs": 2})
        return self.steps(answer)

    def logprob(self, prompt, token):
        """Of `token` after `prompt`, two lists of ids."""
        for alternatives in 100, 60000:
            answer = self.server.handle_completions({"prompt": prompt, "n_predict": 1, "temperature": 0, "n_probs": alternatives})
            for top in self.parsed(answer)["choices"][0]["logprobs"]["content"][0]["top_logprobs"]:
                if top["id"] == token:
                    return top["logprob"]
        raise AssertionError(f"llama.cpp gives no probability of token {token}")

    def loss(self, ids):
        """The mean of -ln of each token's probability, given those before it, without the first."""
        return -sum(self.logprob(ids[:i], ids[i]) for i in range(1, len(ids))) / (len(ids) - 1)

    def logprobs(self, prompt, vocabulary):
        """{id: logprob} of each token after `prompt`, a list of ids; empty where the likeliest is a part of a character, of
        which the server says nothing."""
        answer = self.server.handle_completions({"prompt": prompt, "n_predict": 1, "temperature": 0, "n_probs": vocabulary})
        said = self.parsed(answer)["choices"][0]["logprobs"]
        return {top["id"]: top["logprob"] for top in said["content"][0]["top_logprobs"]} if said and said["content"] else {}

    def speed(self, prompt_tokens, new_tokens):
        """Tokens per second: of a prompt of so many, and of so many new ones, one by one."""
        ids = list(range(1000, 1000 + prompt_tokens))
        run = lambda ids, n: self.parsed(self.server.handle_completions(
            {"prompt": ids, "n_predict": n, "temperature": 0, "ignore_eos": True, "cache_prompt": False}))["timings"]
        return run(ids, 1)["prompt_per_second"], run(ids[:2], new_tokens)["predicted_per_second"]

    @staticmethod
    def parsed(answer):
        return answer if isinstance(answer, dict) else json.loads(answer)

    @classmethod
    def steps(cls, answer):
        steps = cls.parsed(answer)["choices"][0]["logprobs"]["content"]
        return [(step["id"], step["logprob"], step["top_logprobs"][1]["logprob"]) for step in steps]


class EncoderDecoderPeer:
    """An encoder-decoder in llama.cpp, by its C interface: the server knows decoders alone."""

    class Settings(ctypes.Structure):
        """More bytes than any of its structs of settings has, which are only passed on."""
        _fields_ = [("bytes", ctypes.c_byte * 1024)]

    class Batch(ctypes.Structure):
        _fields_ = [("count", ctypes.c_int32), *((name, ctypes.c_void_p) for name in ("token", "embd", "pos", "n_seq", "seq", "out"))]

    def __init__(self, path):
        [library] = Path(xllamacpp.__file__).parent.glob("xllamacpp*.so")
        self.library = library = ctypes.CDLL(str(library))
        for name in "llama_model_default_params", "llama_context_default_params":
            getattr(library, name).restype = self.Settings
        for name in "llama_model_load_from_file", "llama_init_from_model":
            getattr(library, name).restype = ctypes.c_void_p
        library.llama_batch_get_one.restype = self.Batch
        library.llama_get_logits_ith.restype = ctypes.POINTER(ctypes.c_float)
        library.llama_backend_init()
        self.model = ctypes.c_void_p(
            library.llama_model_load_from_file(str(path).encode(), library.llama_model_default_params()))
        assert self.model, path

    def logits(self, source, answer):
        """Of the token after `answer`, which begins with the start token, in sight of `source`: lists of ids."""
        library = self.library
        context = ctypes.c_void_p(library.llama_init_from_model(self.model, library.llama_context_default_params()))
        for ids, run in (source, library.llama_encode), (answer, library.llama_decode):
            row = (ctypes.c_int32 * len(ids))(*ids)
            status = run(context, library.llama_batch_get_one(row, len(ids)))
            assert status == 0, status
        vocabulary = library.llama_vocab_n_tokens(ctypes.c_void_p(self.vocabulary()))
        result = library.llama_get_logits_ith(context, -1)[:vocabulary]
        library.llama_free(context)
        return result

    def vocabulary(self):
        self.library.llama_model_get_vocab.restype = ctypes.c_void_p
        return self.library.llama_model_get_vocab(self.model)


def agree(ours, theirs, tolerance, measured):
    """`ours`: [{"id", "logprob"}] of Quern. Equal ids, with the same log-probabilities, up to the first tie; how many."""
    same, differences = 0, []
    for own, (token, logprob, second) in zip(ours, theirs):
        if own["id"] != token:
            assert logprob - second < tolerance, f"token {same}: {own['id']} for {token}, ahead by {logprob - second:.3f}"
            break
        differences.append(abs(own["logprob"] - logprob))
        same += 1
    assert max(differences) < tolerance
    measured("difference of log-probability", max(differences))
    measured("equal tokens of %d" % NEW_TOKENS, same)
    return same
