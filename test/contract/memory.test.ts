/** The memory store, which is the executable specification, keeps the contract itself. */
import { memory } from "../../src/backends/memory/index.ts";
import { exerciseBackend } from "../../src/testing/backend-contract/index.ts";

exerciseBackend({
  name: "memory",
  capabilities: { signals: true, shared: false, transactions: false, clock: true },
  make: async (clock) => ({ backend: memory({ clock }), dispose: async () => {} }),
});

exerciseBackend({
  name: "memory on the machine's own clock",
  capabilities: { signals: true, shared: false, transactions: false, clock: false },
  make: async () => ({ backend: memory(), dispose: async () => {} }),
});
