"""Records tests/golden/gpt2 from transformers: `python tools/goldens/gpt2.py`."""

from transformers import GPT2Config, GPT2LMHeadModel

from recording import record

VOCAB = 97


def main():
    config = GPT2Config(vocab_size=VOCAB, n_embd=20, n_layer=2, n_head=4, n_positions=32, resid_pdrop=0.0,
                        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0)
    record(GPT2LMHeadModel(config), "gpt2", seed=1, vocab_size=VOCAB)


if __name__ == "__main__":
    main()
