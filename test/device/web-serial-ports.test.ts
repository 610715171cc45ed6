import { expect, test } from 'vitest';
import { hasWebSerial, WebSerialPorts } from '#device/web-serial-ports.ts';
import { ScriptedPort } from './support/scripted-port.ts';

/** As much of `navigator.serial` as is used. */
class FakeSerial extends EventTarget {
  ports: ScriptedPort[] = [];
  answer: ScriptedPort | DOMException = new DOMException('No port selected by the user.', 'NotFoundError');
  filters: unknown;

  getPorts(): Promise<ScriptedPort[]> {
    return Promise.resolve(this.ports);
  }

  requestPort(options: { filters?: unknown }): Promise<ScriptedPort> {
    this.filters = options.filters;
    return this.answer instanceof DOMException ? Promise.reject(this.answer) : Promise.resolve(this.answer);
  }

  /** Web Serial fires at the port, and the event bubbles up; its target stays the port. */
  fire(type: string, port: ScriptedPort): void {
    const event = new Event(type);
    Object.defineProperty(event, 'target', { value: port });
    this.dispatchEvent(event);
  }
}

const make = (): { serial: FakeSerial; ports: WebSerialPorts } => {
  const serial = new FakeSerial();
  return { serial, ports: new WebSerialPorts(serial as unknown as Serial) };
};

test('closing the picker is told by its own code', async () => {
  await expect(make().ports.request()).rejects.toMatchObject({ code: 'no-port-chosen' });
});

test('a page that may not is told so', async () => {
  const { serial, ports } = make();
  serial.answer = new DOMException('Disallowed by policy.', 'SecurityError');
  await expect(ports.request()).rejects.toMatchObject({ code: 'port-no-permission' });
});

test('the picker shows the usual vendors, or everything', async () => {
  const { serial, ports } = make();
  serial.answer = new ScriptedPort();
  expect(await ports.request()).toBe(serial.answer);
  expect(serial.filters).toContainEqual({ usbVendorId: 0x303a });
  await ports.request({ all: true });
  expect(serial.filters).toBeUndefined();
});

test('lists the ports that are allowed', async () => {
  const { serial, ports } = make();
  serial.ports = [new ScriptedPort(), new ScriptedPort()];
  expect(await ports.list()).toEqual(serial.ports);
});

test('tells who comes and goes, until told to stop', () => {
  const { serial, ports } = make();
  const seen: unknown[] = [];
  const port = new ScriptedPort();
  const ends = [
    ports.onArrived((arrived) => seen.push('came', arrived)),
    ports.onLeft((left) => seen.push('left', left)),
  ];
  serial.fire('connect', port);
  serial.fire('disconnect', port);
  for (const end of ends) end();
  serial.fire('connect', port);
  expect(seen).toEqual(['came', port, 'left', port]);
});

test('Node has no Web Serial', () => {
  expect(hasWebSerial()).toBe(false);
});
