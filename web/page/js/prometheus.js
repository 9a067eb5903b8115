// Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats), read as far as Quern writes it.

const kSample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const kLabel = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const kEscapes = {'\\n': '\n', '\\"': '"', '\\\\': '\\'};

const number = text => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

function labelsOf(text) {
  const labels = {};
  for (const [, name, value] of text.matchAll(kLabel)) labels[name] = value.replace(/\\[n"\\]/g, escape => kEscapes[escape]);
  return labels;
}

export class Samples {
  constructor(text, time = Date.now()) {
    this.time = time;  // milliseconds
    this.byName = new Map();
    for (const line of text.split('\n')) {
      const found = line.startsWith('#') ? null : kSample.exec(line);
      if (!found) continue;
      const [, name, labels = '', value] = found;
      if (!this.byName.has(name)) this.byName.set(name, []);
      this.byName.get(name).push({labels: labelsOf(labels), value: number(value)});
    }
  }

  // Those of a model, or of all where none is named.
  of(name, model) {
    return (this.byName.get(name) ?? []).filter(({labels}) => !model || labels.model === model);
  }

  has(name) {
    return this.byName.has(name);
  }

  get models() {
    return [...new Set([...this.byName.values()].flat().map(({labels}) => labels.model).filter(Boolean))].sort();
  }

  sum(name, model) {
    return this.of(name, model).reduce((sum, {value}) => sum + value, 0);
  }

  // A histogram as [[upper bound, observations up to it], ...], the lowest first.
  buckets(name, model) {
    const counts = new Map();
    for (const {labels, value} of this.of(`${name}_bucket`, model)) {
      const bound = number(labels.le);
      counts.set(bound, (counts.get(bound) ?? 0) + value);
    }
    return [...counts].sort(([a], [b]) => a - b);
  }
}

// What happened between two readings of a histogram.
export function since(buckets, earlier) {
  const before = new Map(earlier);
  return buckets.map(([bound, count]) => [bound, count - (before.get(bound) ?? 0)]);
}

// The value below which a share of the observations lies, as Prometheus' histogram_quantile() guesses it: evenly spread
// within a bucket; of the last one, its lower bound. Null where nothing was observed.
export function quantile(buckets, share) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  const at = buckets.findIndex(([, count]) => count >= rank);
  const [bound, count] = buckets[at];
  const [lower, below] = at > 0 ? buckets[at - 1] : [0, 0];
  return bound === Infinity ? lower : lower + (bound - lower) * (rank - below) / Math.max(count - below, Number.MIN_VALUE);
}
