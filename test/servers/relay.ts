/** A way to a server that can be cut, or that swallows everything and says nothing, as a lost network does. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

export class Relay {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #dead = new Set<Socket>();
  readonly #port: number;
  #swallows = false;

  /** @param port - Of the server, on this machine. */
  constructor(port: number) {
    this.#port = port;
    this.#server = createServer((near) => this.#accept(near));
  }

  async listen(): Promise<number> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return (this.#server.address() as { port: number }).port;
  }

  /** How many connections there are that work. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Ends every connection with a reset, on both sides. */
  reset(): void {
    for (const { near, far } of this.#pairs) {
      reset(near);
      reset(far);
    }
  }

  /** From now on nothing gets through, and nobody is told; new connections are taken and never answered. */
  swallow(): void {
    this.#swallows = true;
    for (const { near, far } of this.#pairs) {
      // Neither side hears of it should the other one leave: that would have had to get through as well.
      for (const socket of [near, far]) {
        socket.unpipe();
        socket.removeAllListeners("close");
        socket.on("data", () => {});
        this.#bury(socket);
      }
    }
    this.#pairs.clear();
  }

  /** New connections get through again; those that were swallowed stay dead. */
  mend(): void {
    this.#swallows = false;
  }

  /** What was swallowed is reset, as a system does that has waited long enough. */
  forget(): void {
    for (const socket of this.#dead) reset(socket);
  }

  async close(): Promise<void> {
    this.#server.close();
    this.reset();
    for (const socket of this.#dead) socket.destroy();
    await once(this.#server, "close");
  }

  #accept(near: Socket): void {
    near.on("error", () => {});
    if (this.#swallows) {
      near.on("data", () => {});
      this.#bury(near);
      return;
    }
    const far = connect(this.#port, "127.0.0.1");
    far.on("error", () => reset(near));
    const pair = { near, far };
    this.#pairs.add(pair);
    near.pipe(far);
    far.pipe(near);
    const ended = (): void => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    near.on("close", ended);
    far.on("close", ended);
  }

  #bury(socket: Socket): void {
    this.#dead.add(socket);
    socket.once("close", () => this.#dead.delete(socket));
  }
}

/**
 * Ends a connection with a reset; one that is about to end does so at once. Node cannot reset what is shutting down: it
 * would forget a handle that never closes, and wait for it busily, and for ever, when the process is to end.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
