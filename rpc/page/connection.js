// JSON-RPC over one WebSocket that comes back by itself.
//
// While the page is hidden nothing is tried; it connects when it is looked at again.

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8000;

/** The node's answer is an error; `message` is in its words. */
export class RpcError extends Error {
  constructor({ code, message }) {
    super(message);
    this.code = code;
  }
}

/** The connection ended before the answer came. */
export class Disconnected extends Error {
  constructor() {
    super("the node is not connected");
  }
}

export class Connection {
  #url;
  #events;
  #socket = null;
  #timer = null;
  #pauseMs = FIRST_PAUSE_MS;
  #nextId = 1;
  #waiting = new Map();
  #listeners = new Map();

  /** `events` has `opened` and `closed`, which are called at each change. */
  constructor(url, events) {
    this.#url = url;
    this.#events = events;
    document.addEventListener("visibilitychange", () => this.#look());
    this.#open();
  }

  get isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** The node answers: the next time it goes away it is looked for at once. */
  isGood() {
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  /** Begins anew, after a pause. */
  restart() {
    this.#socket?.close();
  }

  /** The result of one request. Throws RpcError and Disconnected. */
  call(method, ...params) {
    return this.#send((id) => ({ jsonrpc: "2.0", id, method, params }));
  }

  /** Has `listener` called with all that a subscription brings, until the connection ends. */
  async subscribe(kind, listener) {
    this.#listeners.set(await this.call("eth_subscribe", kind), listener);
  }

  #send(request) {
    if (!this.isOpen) return Promise.reject(new Disconnected());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify(request(id)));
    });
  }

  #open() {
    this.#timer = null;
    const socket = (this.#socket = new WebSocket(this.#url));
    socket.onopen = () => {
      this.#events.opened();
    };
    socket.onmessage = (event) => this.#received(JSON.parse(event.data));
    socket.onclose = () => this.#ended();
  }

  #received(message) {
    if (message.method === "eth_subscription") {
      this.#listeners.get(message.params.subscription)?.(message.params.result);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    if (waiting === undefined) return;
    this.#waiting.delete(message.id);
    if (message.error) waiting.reject(new RpcError(message.error));
    else waiting.resolve(message.result);
  }

  #ended() {
    const waiting = [...this.#waiting.values()];
    this.#socket = null;
    this.#waiting.clear();
    this.#listeners.clear();
    for (const { reject } of waiting) reject(new Disconnected());
    this.#events.closed();
    this.#look();
  }

  /** Connects again after a pause, if anybody looks and nothing is on its way. */
  #look() {
    if (document.hidden) {
      clearTimeout(this.#timer);
      this.#timer = null;
      this.#pauseMs = FIRST_PAUSE_MS;
    } else if (this.#socket === null && this.#timer === null) {
      this.#timer = setTimeout(() => this.#open(), this.#pauseMs);
      this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
    }
  }
}
