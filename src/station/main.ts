/** `npm start`: serves the built page on this machine. Host and port can be set by HOST and PORT. */
import { fileURLToPath } from 'node:url';
import { createStation } from './server.ts';

const host = process.env['HOST'] ?? '127.0.0.1';
const port = Number(process.env['PORT'] ?? 4600);

const station = await createStation({ pageFolder: fileURLToPath(new URL('../../dist/page', import.meta.url)) });
try {
  await station.listen({ host, port });
  const address = station.server.address();
  console.log(`Twostep is at http://${host}:${typeof address === 'object' ? address?.port : port}`);
} catch (error) {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
  console.error(`Port ${port} is in use. Start with another one, such as PORT=${port + 1} npm start`);
  process.exitCode = 1;
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void station.close());
}
