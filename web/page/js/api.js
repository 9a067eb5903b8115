// The API of the server, as the page uses it.
import {askForKey, key} from './key.js';
import {eventsOf} from './sse.js';

// What the server refused, in its words; status 0: it was not reached, or the connection broke.
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
  get lost() {
    return this.status === 0;
  }
}

const kLost = 'The connection to the server was lost.';

// Of the fetch API, which says of every broken connection the same: TypeError. What the user stopped stays what it is.
function failure(error) {
  return error instanceof TypeError ? new ApiError(0, kLost) : error;
}

async function refusal(response) {
  const text = await response.text();
  try {
    return new ApiError(response.status, JSON.parse(text).error.message);
  } catch {
    return new ApiError(response.status, text.trim() || `The server answered with status ${response.status}.`);
  }
}

// The response, whose status is a good one. Asks for a key as long as the server wants another. Throws ApiError.
async function request(path, {body, signal} = {}) {
  for (;;) {
    const headers = {};
    if (key()) headers.Authorization = `Bearer ${key()}`;
    if (body) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, {method: body ? 'POST' : 'GET', headers, body: body && JSON.stringify(body), signal})
      .catch(error => { throw failure(error); });
    if (response.ok) return response;
    const refused = await refusal(response);
    if (response.status !== 401 || !await askForKey(refused.message)) throw refused;
  }
}

const json = async (path, options) => (await request(path, options)).json();

export const listModels = async () => (await json('/v1/models')).data;
// Answers when the model is there, or on its way out.
export const loadModel = model => json('/v1/models/load', {body: {model}});
export const unloadModel = model => json('/v1/models/unload', {body: {model}});
export const version = async () => (await json('/version')).version;
export const metrics = async signal => (await request('/metrics', {signal})).text();
export const isThere = () => fetch('/health').then(response => response.ok, () => false);

// The chunks of a streamed answer to /v1/chat/completions. Throws ApiError, also where the stream breaks off.
export async function* streamChat(body, signal) {
  const response = await request('/v1/chat/completions', {body: {...body, stream: true}, signal});
  try {
    for await (const data of eventsOf(response.body)) {
      if (data === '[DONE]') return;
      const chunk = JSON.parse(data);
      if (chunk.error) throw new ApiError(500, chunk.error.message);
      yield chunk;
    }
  } catch (error) {
    throw failure(error);
  }
  throw new ApiError(0, kLost);
}
