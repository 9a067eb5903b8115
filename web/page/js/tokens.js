// How likely each token of an answer was: coloured text, and beside the token that is pointed at what else could have
// stood there.
import {element} from './dom.js';

// A token as it can be seen: line breaks and spaces at the ends have signs.
const kSigns = {'\n': '⏎', '\t': '⇥', '\r': '␍', ' ': '␣'};
export const visible = text => text.replace(/[\n\r\t]|^ | $/g, sign => kSigns[sign]) || '∅';

const percent = logprob => {
  const share = 100 * Math.exp(logprob);
  return share >= 0.1 ? `${share.toFixed(1)} %` : share >= 0.001 ? `${share.toPrecision(1)} %` : '< 0.001 %';
};

// How many tokens a guess as good as these was between, on average.
function perplexity(tokens) {
  return Math.exp(-tokens.reduce((sum, {logprob}) => sum + logprob, 0) / tokens.length);
}

export function tokensView(tokens) {
  const card = element('div', {class: 'card', role: 'status', hidden: true});
  const spans = tokens.map(token => {
    const span = element('span', {class: 'token', tabindex: '-1'}, token.text);
    span.style.setProperty('--surprise', 1 - Math.exp(token.logprob));
    return span;
  });
  const text = element('div', {class: 'token-text', role: 'group', 'aria-label': 'Tokens; arrow keys walk along them'}, ...spans);
  const node = element('div', {class: 'tokens'}, text, card,
    element('p', {class: 'faint small row'}, `${tokens.length} tokens, perplexity ${perplexity(tokens).toFixed(2)}`,
      element('span', {class: 'scale', 'aria-hidden': 'true'}, 'certain', element('span', {class: 'ramp'}), 'surprising')));

  const show = span => {
    const token = tokens[spans.indexOf(span)];
    card.replaceChildren(...rowsOf(token));
    card.hidden = false;
    place(card, span, node);
  };
  const hide = () => { card.hidden = true; };
  const walk = (event, from) => {
    const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: 8, ArrowUp: -8}[event.key];
    if (!step) return;
    event.preventDefault();
    spans[Math.min(Math.max(from + step, 0), spans.length - 1)].focus();
  };
  spans[0].tabIndex = 0;  // one stop for the tab key; arrows walk on
  text.addEventListener('pointerover', event => event.target.classList.contains('token') && show(event.target));
  text.addEventListener('pointerleave', hide);
  text.addEventListener('focusin', event => show(event.target));
  text.addEventListener('focusout', hide);
  text.addEventListener('keydown', event => walk(event, spans.indexOf(event.target)));
  return node;
}

// The token itself, and the likeliest ones, with bars.
function rowsOf({text, logprob, top}) {
  const others = top.some(([other]) => other === text) ? top : [...top, [text, logprob]];
  return others.map(([other, value]) => {
    const bar = element('span', {class: 'bar'});
    bar.style.setProperty('--share', Math.exp(value));
    return element('div', {class: other === text ? 'chosen' : ''},
      element('code', {}, visible(other)), bar, element('span', {class: 'figure'}, percent(value)));
  });
}

// Below the token, but inside `frame`.
function place(card, span, frame) {
  const box = span.getClientRects()[0];
  const around = frame.getBoundingClientRect();
  const left = Math.min(box.left - around.left, around.width - card.offsetWidth);
  card.style.left = `${Math.max(left, 0)}px`;
  card.style.top = `${box.bottom - around.top + 6}px`;
}
