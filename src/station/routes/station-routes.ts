/** The station itself: who it is, sessions, the listener for boards, the policy for insecure origins. */
import { OpenListenerRequest, PairingRequest } from '#api.ts';
import { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { insecureOriginPolicy } from '../policy.ts';
import { Refusal } from '../refusal.ts';
import { type Guard } from '../security/guard.ts';
import { type Pairing } from '../security/pairing.ts';
import { sessionCookie, type Sessions } from '../security/sessions.ts';
import { type StationState } from '../station-state.ts';
import { readBody } from './read-request.ts';

export interface StationRouteOptions {
  guard: Guard;
  sessions: Sessions;
  pairing: Pairing;
  cookieName: () => string;
  state: StationState;
}

export function addStationRoutes(server: FastifyInstance, options: StationRouteOptions): void {
  const { guard, sessions, pairing, cookieName, state } = options;

  const openSession = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const secure = guard.asker(request).origin.startsWith('https:');
    void reply.header('Set-Cookie', sessionCookie(sessions.open(), { name: cookieName(), secure }));
    return reply.code(204).send();
  };

  server.get('/api/station', (request) => state.info(guard.standing(request)));

  server.get('/api/policy', (request, reply) =>
    reply
      .header('Content-Disposition', 'attachment; filename="twostep-policy.json"')
      .type('application/json')
      .send(insecureOriginPolicy(guard.asker(request).origin)),
  );

  server.post('/api/session', (request, reply) => {
    if (guard.hasSession(request)) return reply.code(204).send();
    if (!guard.asker(request).local) throw new Refusal('session-needed', 'Pair with the code that the station printed');
    return openSession(request, reply);
  });

  server.post('/api/pairing', (request, reply) => {
    pairing.check(readBody(PairingRequest, request.body).code);
    return openSession(request, reply);
  });

  server.post('/api/boards-listener', async (request) => {
    const { open } = readBody(OpenListenerRequest, request.body);
    await (open ? state.openListener() : state.closeListener());
    return state.info(guard.standing(request));
  });
}
