// Draws the report of `quern data prepare`.

const count = value => value.toLocaleString('en');
const sides = [data.train, data.validation].filter(Boolean);

function headline() {
  const tokens = sides.reduce((sum, side) => sum + side.tokens, 0);
  const learnt = sides.reduce((sum, side) => sum + side.learnt_tokens, 0);
  return element('div', {class: 'figures'},
    figure('rows read', count(data.rows)),
    figure('rows left out', count(data.left_out)),
    ...sides.map((side, i) => figure(i === 0 ? 'examples to train on' : 'examples held out', count(side.examples))),
    figure('tokens', count(tokens)),
    figure('of them learnt', `${count(learnt)} (${percent(learnt / tokens)})`),
    figure('longest sequence, tokens', count(data.longest)),
    data.truncated > 0 ? figure('sequences cut to fit', count(data.truncated)) : null);
}

function lengthSection() {
  const most = Math.max(...data.lengths.map(bin => bin.sequences));
  const bar = share => {
    const inner = element('div');
    inner.style.width = percent(share).replace(' ', '');
    return element('div', {class: 'bar'}, inner);
  };
  return element('section', {}, element('h2', {}, 'Lengths'),
    table(['tokens', 'sequences', ''], data.lengths.map(bin => [`${count(bin.at_least)} to ${count(bin.below - 1)}`, bin.sequences, bar(bin.sequences / most)])));
}

function refusedSection() {
  if (data.left_out === 0) return null;
  const faults = Object.entries(data.faults);
  return element('section', {}, element('h2', {}, 'Rows that are left out'),
    table(['why', 'rows'], faults),
    element('p', {class: 'faint'}, data.left_out > data.refused.length ? `The first ${data.refused.length}; refused.jsonl lists all.` : ''),
    table(['file', 'line', 'why', ''], data.refused.map(row => [row.file, String(row.line), row.fault, row.what])));
}

// What is learnt on a coloured ground.
function learntText(runs) {
  const text = element('pre');
  runs.forEach((run, i) => {
    const span = element('span', i % 2 === 1 ? {title: 'learnt'} : {class: 'prompt'}, run);
    if (i % 2 === 1) span.style.background = `color-mix(in srgb, ${color('good')} 25%, transparent)`;
    text.append(span);
  });
  return element('div', {class: 'panel'}, text);
}

function sampleSection() {
  const names = data.content === 'preferences' ? ['Preferred', 'The other one'] : [''];
  return element('section', {}, element('h2', {}, 'What is learnt'),
    element('p', {class: 'faint'}, 'Only what stands on a coloured ground is learnt.'),
    ...data.samples.flatMap(sample => [element('h3', {}, `${sample.file}:${sample.line}`),
      ...sample.documents.flatMap((runs, i) => [names[i] ? element('p', {class: 'faint'}, names[i]) : null, learntText(runs)]).filter(Boolean)]));
}

document.title = `Examples: ${data.settings.out}`;
document.getElementById('report').append(...[
  element('h1', {}, `Examples in ${data.settings.out}`),
  element('p', {class: 'faint'}, `${data.content}, in the form of ${data.settings.tokenizer}`),
  provenance(), headline(), lengthSection(), sampleSection(), refusedSection(),
].filter(Boolean));
