// Server-sent events out of the body of an answer (https://html.spec.whatwg.org/multipage/server-sent-events.html):
// EventSource can only GET, and knows no headers.

// The data of each event. Pieces of the body may end anywhere.
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let pending = '';
  let data = [];
  try {
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      pending += value;
      const held = pending.endsWith('\r') ? '\r' : '';  // its line feed may follow
      const lines = pending.slice(0, pending.length - held.length).split(/\r\n|\n|\r/);
      pending = lines.pop() + held;
      for (const line of lines) {
        if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5));
        if (line !== '' || data.length === 0) continue;
        yield data.join('\n');
        data = [];
      }
    }
  } finally {
    reader.cancel().catch(() => {});  // who reads no further wants no more of it
  }
}
