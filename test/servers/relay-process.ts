/** A process whose relay leads nowhere: it resets connections that are just ending, and then has nothing left to do. */
import { connect } from "node:net";
import { freePort } from "./own-server.ts";
import { Relay } from "./relay.ts";

const CONNECTIONS = 500;

const relay = new Relay(await freePort());
const port = await relay.listen();
const closed = Array.from({ length: CONNECTIONS }, () => {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.resume().end();
  return new Promise((resolve) => socket.once("close", resolve));
});
await Promise.all(closed);
await relay.close();
