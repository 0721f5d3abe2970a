// Prints the path of a nats-server that fits, fetching one where there is none.
// Plain JavaScript for Node 18 and later, without a dependency: it runs before anything is installed.
import { ensureNatsServer } from "../bin/natsServer.mjs";

try {
  process.stdout.write(`${await ensureNatsServer()}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
