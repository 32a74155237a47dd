// server.ts: serves the application of app.ts, and lets running tasks end before it leaves.
import { app } from "./app.ts";

for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => void app.close());

console.log(await app.listen({ host: "127.0.0.1", port: Number(process.env["PORT"] ?? 3000) }));
