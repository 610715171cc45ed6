/** Sends a file and tells how much of it went out, which `fetch` does not. */

export type Upload = (
  path: string,
  file: Blob,
  options: { onProgress?: (sent: number) => void; signal?: AbortSignal },
) => Promise<Response>;

/**
 * By the browser's older interface.
 *
 * @throws {TypeError} when nothing answers, as `fetch` does.
 * @throws {DOMException} `AbortError`.
 */
export const uploadWithProgress: Upload = (path, file, { onProgress, signal }) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', path);
    request.setRequestHeader('content-type', 'application/octet-stream');
    request.upload.onprogress = ({ loaded }) => onProgress?.(loaded);
    request.onload = () => resolve(new Response(request.responseText, { status: request.status }));
    request.onerror = () => reject(new TypeError('The station does not answer'));
    request.onabort = () => reject(new DOMException('Aborted', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
