import { expect, test } from 'vitest';
import { openError } from '#device/open-port.ts';

const errno = (code: string, message = 'failed'): Error => Object.assign(new Error(message), { code });

test.each([
  [errno('EACCES'), 'port-no-permission'],
  [errno('EPERM'), 'port-no-permission'],
  [errno('EBUSY'), 'port-busy'],
  [errno('ENOENT'), 'port-missing'],
  [errno('ENODEV'), 'port-missing'],
  [errno('ECONNREFUSED'), 'port-missing'],
  [errno('EIO'), 'port-open-failed'],
  [new Error('failed', { cause: errno('EACCES') }), 'port-no-permission'],
  [new DOMException('Failed to open serial port.', 'NetworkError'), 'port-in-use-or-missing'],
  [new DOMException('The port is already open.', 'InvalidStateError'), 'port-busy'],
  [new DOMException('No.', 'SecurityError'), 'port-no-permission'],
  [new Error('Error: Permission denied, cannot open /dev/ttyUSB0'), 'port-no-permission'],
  [new Error('Error Resource temporarily unavailable Cannot lock port'), 'port-busy'],
  [new Error('Opening COM3: Access denied'), 'port-busy'],
  [new Error('Opening COM9: File not found'), 'port-missing'],
  [new Error('something else'), 'port-open-failed'],
])('%s is %s', (cause, code) => {
  const error = openError(cause);
  expect(error.code).toBe(code);
  expect(error.cause).toBe(cause);
});
