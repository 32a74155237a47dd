/** Starts the application on a free port, says which, and ends well on SIGTERM. */
import { app } from "./app.ts";

console.log(await app.listen({ port: Number(process.env["PORT"] ?? 0), host: "127.0.0.1" }));
process.once("SIGTERM", () => void app.close());
