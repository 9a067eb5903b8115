"""Quern's random numbers (base/rng.h): Philox4x32-10 (Salmon et al. 2011), written again."""

WORD, LONG = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF


class Rng:
    def __init__(self, seed, stream):
        self.seed, self.stream, self.position = seed & LONG, stream & LONG, 0

    def u64(self):
        block, half = divmod(self.position, 2)
        self.position += 1
        counter = [block & WORD, block >> 32, self.stream & WORD, self.stream >> 32]
        key = [self.seed & WORD, self.seed >> 32]
        for _ in range(10):
            a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
            counter = [(b >> 32) ^ counter[1] ^ key[0], b & WORD, (a >> 32) ^ counter[3] ^ key[1], a & WORD]
            key = [(key[0] + 0x9E3779B9) & WORD, (key[1] + 0xBB67AE85) & WORD]
        return counter[2 * half] << 32 | counter[2 * half + 1]

    def uniform(self):
        return (self.u64() >> 11) * 2.0**-53

    def below(self, bound):
        threshold = (LONG + 1 - bound) % bound
        while True:
            product = self.u64() * bound
            if product & LONG >= threshold:
                return product >> 64

    def shuffled(self, items):
        items = list(items)
        for i in reversed(range(1, len(items))):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items
