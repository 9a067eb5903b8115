// Draws the report of `quern eval perplexity`.

const estimate = ({value, error}, digits = 5) => `${number(value, digits)} ± ${number(error, 2)}`;
const share = ({value, error}) => `${percent(value)} ± ${(100 * error).toFixed(1)}`;
const compared = Boolean(data.against);

function headline() {
  const figures = [
    figure('perplexity', estimate(data.figures.perplexity)),
    figure('bits per byte', estimate(data.figures.bits_per_byte)),
    figure('nats per token', estimate(data.figures.loss)),
    figure(`tokens scored, ${data.figures.bytes.toLocaleString('en')} bytes`, data.figures.tokens.toLocaleString('en')),
  ];
  if (compared) {
    const against = data.against.figures;
    figures.push(figure('perplexity over that of the base', estimate(against.ratio)),
      figure('mean KL divergence from the base', estimate(against.kl, 4)),
      figure('same likeliest token', share(against.same_top)));
  }
  return element('div', {class: 'figures'}, ...figures);
}

function runningSection() {
  const line = (label, value, more) => ({label, points: data.running.map(row => ({x: row.tokens, y: value(row.perplexity)})), color: 'faint', thin: true, ...more});
  return element('section', {}, element('h2', {}, 'How the estimate settled'), lineChart('Perplexity', 'perplexity', [
    line('perplexity', p => p.value, {color: 'one', thin: false}),
    line('less one standard error', p => p.value - p.error),
    line('plus one standard error', p => p.value + p.error)], {along: 'tokens scored'}));
}

function quantileSection() {
  const figures = data.against.figures;
  const name = q => q === 1 ? 'maximum' : q === 0 ? 'minimum' : q === 0.5 ? 'median' : percent(q);
  return element('section', {}, element('h2', {}, `Against ${data.against.model}`),
    table(['', 'KL divergence', 'difference of the probability of the token that came'], [
      ['mean', estimate(figures.kl, 4), share(figures.delta_p)],
      ['root mean square', '', share(figures.delta_p_rms)],
      ...figures.kl_quantiles.map((row, i) => [name(row.q), number(row.value), percent(figures.delta_p_quantiles[i].value)])]));
}

function hardestSection() {
  const rows = data.hardest.map(row => [
    element('pre', {}, element('span', {class: 'prompt'}, row.before), element('b', {}, row.token)),
    number(row.p, 2), ...(compared ? [number(row.base_p, 2), number(row.kl, 3)] : [])]);
  return element('section', {}, element('h2', {}, compared ? 'Where the two differ most' : 'What surprised the model most'),
    table(['token in its text', 'probability', ...(compared ? ['by the base', 'KL divergence'] : [])], rows));
}

// Each token on a ground of the accent colour, the deeper the larger its measure; full at the 99th percentile.
function passageSection() {
  const sorted = data.passage.map(piece => piece[1]).sort((a, b) => a - b);
  const most = sorted[Math.floor(0.99 * (sorted.length - 1))] || 1;
  const text = element('pre');
  for (const [piece, measure] of data.passage) {
    const span = element('span', {title: `${number(measure, 3)} nats`}, piece);
    span.style.background = `color-mix(in srgb, ${color('one')} ${Math.round(70 * Math.min(1, Math.max(0, measure / most)))}%, transparent)`;
    text.append(span);
  }
  return element('section', {}, element('h2', {}, 'The first tokens that were scored'),
    element('p', {class: 'faint'}, compared ? 'The deeper the colour, the further the model is from the base.' : 'The deeper the colour, the more it surprised the model.'),
    element('div', {class: 'panel'}, text));
}

document.title = `${data.model}: perplexity`;
document.getElementById('report').append(...[
  element('h1', {}, `Perplexity of ${data.model}`),
  element('p', {class: 'faint'}, `${data.data}: ${data.windows} ${data.method === 'chunks' ? 'chunks' : 'sliding windows'} of ${data.context} tokens`),
  provenance(), headline(), runningSection(), compared ? quantileSection() : null, hardestSection(), passageSection(),
].filter(Boolean));
