/** What is done to a server and to the way to it, and written down. */
import type { OwnServer } from "../servers/own-server.ts";
import type { Relay } from "../servers/relay.ts";

/** Over in a moment: a session is ended, statements are cancelled, every connection is reset. */
export type Blow = "sever" | "cancel" | "reset";

/** Nobody can use the store meanwhile: the server crashes, the network swallows everything, the tables are locked. */
export type Outage = "restart" | "swallow" | "lock";

export const BLOWS: readonly Blow[] = ["sever", "cancel", "reset"];
export const OUTAGES: readonly Outage[] = ["restart", "swallow", "lock"];

/** Statements that hurt, sent on connections of their own. */
export interface Surgery {
  /** Ends one session other than its own. @param share - From 0 to 1: which. */
  sever(share: number): Promise<void>;
  /** Cancels what runs in any session other than its own. */
  cancel(): Promise<void>;
  /** Locks the table of the tasks until the promise resolves. */
  lock(over: Promise<void>): Promise<void>;
}

export class Trouble {
  readonly #server: OwnServer;
  readonly #relay: Relay;
  readonly #surgery: Surgery;

  constructor(server: OwnServer, relay: Relay, surgery: Surgery) {
    this.#server = server;
    this.#relay = relay;
    this.#surgery = surgery;
  }

  async blow(blow: Blow, share: number): Promise<void> {
    if (blow === "reset") this.#relay.reset();
    else if (blow === "sever") await this.#surgery.sever(share);
    else await this.#surgery.cancel();
  }

  /** Resolves when it is over. @param ms - How long it takes, where that is a choice. */
  async outage(outage: Outage, ms: number): Promise<void> {
    const over = new Promise<void>((resolve) => setTimeout(resolve, ms));
    if (outage === "lock") {
      // Somebody may keep the lock from it for too long, or a blow just before end its session; then it is over sooner.
      await this.#surgery.lock(over).catch(() => {});
    } else if (outage === "swallow") {
      this.#relay.swallow();
      await over;
      this.#relay.mend();
    } else {
      await this.#server.crash();
      await this.#server.start();
    }
  }
}
