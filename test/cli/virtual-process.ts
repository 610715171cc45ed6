/** `twostep virtual` as a process, for hosts that are not ours. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { parsePortName } from '../../src/cli/ports/port-name.ts';
import { TcpPort } from '../../src/cli/ports/tcp-port.ts';

export interface VirtualProcess {
  /** A port with modem lines and baud rate, as a host on this machine has it. */
  port: TcpPort;
  /** Ends the process as Ctrl-C does. */
  stop(): Promise<void>;
}

export async function startVirtual(...options: string[]): Promise<VirtualProcess> {
  const child = spawn(
    process.execPath,
    ['src/cli/main.ts', 'virtual', '--json', '--listen', '127.0.0.1:0', '--control', '127.0.0.1:0', ...options],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  const { uart, control } = JSON.parse(line) as { uart: string; control: string };
  const name = parsePortName(`tcp://${uart}?control=${control.split(':').at(-1)}`);
  if (name.kind !== 'tcp') throw new Error('Not a TCP port');
  return {
    port: new TcpPort(name.uart, name.control),
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGINT');
      await ended;
    },
  };
}
