// Markdown of a model as elements that can do no harm: what is not listed here does not come out, nothing is loaded from
// elsewhere, and nothing can pass for a part of the page.
import '/page/lib/marked.js';
import '/page/lib/purify.js';
import {copy} from './clipboard.js';
import {element, icon} from './dom.js';

const {marked, DOMPurify} = globalThis;
// Debian's 2.4.1 looks at this once per text, by mistake (the check it belongs to is made for each node besides).
globalThis.shadowNode = {__depth: 0};

// HTML of the model is shown as text, but for these tags without attributes.
const kBareTag = /<\/?(?:b|br|code|del|details|em|i|ins|kbd|li|mark|ol|p|pre|s|strong|sub|summary|sup|u|ul)\s*\/?>|[<>]/gi;
const kEscaped = {'<': '&lt;', '>': '&gt;'};

// Whatever came through the parser all the same ends here.
const kSafe = {
  ALLOWED_TAGS: ['a', 'b', 'blockquote', 'br', 'code', 'del', 'details', 'em', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'hr', 'i', 'img', 'ins',
    'kbd', 'li', 'mark', 'ol', 'p', 'pre', 's', 'strong', 'sub', 'summary', 'sup', 'table', 'tbody', 'td', 'th', 'thead', 'tr', 'u', 'ul'],
  ALLOWED_ATTR: ['align', 'alt', 'class', 'colspan', 'href', 'open', 'rowspan', 'src', 'start', 'title'],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/(?:png|jpeg|gif|webp);)/i,
  ADD_URI_SAFE_ATTR: ['align', 'colspan', 'open', 'rowspan', 'start'],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};
const kHighlighted = {ALLOWED_TAGS: ['span'], ALLOWED_ATTR: ['class'], RETURN_DOM_FRAGMENT: true};
const kLongestHighlighted = 20000;  // characters: more takes too long while a text grows
// The parser takes the square of a block's length, and the cube of its marks: beyond these, text is shown as it is.
const kLongestBlock = 10000;
const kMostMarks = 600;
const isTooMuch = block => block.length > kLongestBlock || (block.match(/[*_]/g)?.length ?? 0) > kMostMarks;

const renderer = new marked.Renderer();
renderer.html = html => html.replace(kBareTag, tag => kEscaped[tag] ?? tag);
renderer.checkbox = checked => (checked ? '☑ ' : '☐ ');
const kOptions = {...marked.getDefaults(), gfm: true, breaks: true, headerIds: false, mangle: false, renderer};

async function highlight(code, language) {
  try {
    await import('/page/lib/highlight.js');  // nearly a megabyte: only where it is needed
  } catch {
    return;  // the server is gone, and the code can be read without colours
  }
  const {hljs} = globalThis;
  if (!hljs.getLanguage(language)) return;
  const html = hljs.highlight(language, code.textContent, true).value;
  code.replaceChildren(DOMPurify.sanitize(html, kHighlighted));
}

// A frame around a block of code: its language, and a button that copies it.
function frameCode(pre) {
  const code = pre.querySelector('code');
  if (!code) return;
  const language = /(?:^|\s)language-(\S+)/.exec(code.className)?.[1] ?? '';
  code.removeAttribute('class');
  const button = element('button', {type: 'button', class: 'quiet', onclick: () => copy(code.textContent)}, icon('copy'), 'Copy');
  const frame = element('div', {class: 'code'}, element('div', {class: 'row'}, element('span', {class: 'faint'}, language), button));
  pre.replaceWith(frame);
  pre.tabIndex = 0;  // it scrolls
  frame.append(pre);
  if (language && code.textContent.length <= kLongestHighlighted) highlight(code, language);
}

function frameTable(table) {
  const frame = element('div', {class: 'table', tabindex: '0'});
  table.replaceWith(frame);
  frame.append(table);
}

// Pictures from elsewhere would tell others what is read here: a link lets the reader decide.
function unlink(image) {
  const source = image.getAttribute('src') ?? '';
  if (source.startsWith('data:')) return;
  const name = image.getAttribute('alt') || source || 'picture';
  image.replaceWith(source ? element('a', {href: source}, `[${name}]`) : `[${name}]`);
}

// HTML as safe elements. They belong to no page until they are adopted, so that nothing was loaded before this is done.
export function safe(html) {
  const fragment = DOMPurify.sanitize(html, kSafe);
  fragment.querySelectorAll('img').forEach(unlink);
  for (const link of fragment.querySelectorAll('a[href]')) {
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow';
  }
  for (const node of fragment.querySelectorAll('[class]:not(pre > code)')) node.removeAttribute('class');
  fragment.querySelectorAll('pre').forEach(frameCode);
  fragment.querySelectorAll('table').forEach(frameTable);
  return fragment;
}

// Shows a text that grows. Of its blocks (paragraphs, lists, code, ...), those whose source has not changed keep their
// elements, and with them selections and the work of drawing.
export class MarkdownView {
  constructor(node) {
    this.node = node;
    this.sources = [];
    this.links = '';
  }

  update(text) {
    try {
      if (text.split(/\n[ \t]*\n/).some(isTooMuch)) this.drawPlain(text);
      else this.draw(text);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.drawPlain(text);  // nested too deeply for the parser
    }
  }

  drawPlain(text) {
    this.node.replaceChildren(element('div', {class: 'block plain'}, text));
    this.sources = [];
  }

  draw(text) {
    const tokens = marked.lexer(`${text}\n`, kOptions);  // code that is not closed yet needs its line ended
    const {links} = tokens;
    const blocks = tokens.filter(token => token.type !== 'space');
    const said = JSON.stringify(links);
    if (said !== this.links) this.sources = [];  // any block may use a link that is defined elsewhere
    this.links = said;
    const sources = blocks.map(block => block.raw);
    let same = 0;
    while (same < sources.length && sources[same] === this.sources[same]) ++same;
    while (this.node.children.length > same) this.node.lastElementChild.remove();
    for (const block of blocks.slice(same)) {
      const html = marked.parser(Object.assign([block], {links}), kOptions);
      this.node.append(element('div', {class: 'block'}, safe(html)));
    }
    this.sources = sources;
  }
}
