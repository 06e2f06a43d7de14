// A provider of identities (oidc-provider, certified by the OpenID Foundation), and a browser's way through it.
//
//     node oidc.mjs serve REDIRECT_URI     prints {"issuer": …} and runs until it is ended
//     node oidc.mjs browse URL LOGIN       logs in as LOGIN, and prints {"state": …, "code": …}
//
// Clients: "rs" and "es", by how their tokens are signed, with the secret "s:e%cret". People: ada of the groups ops and
// staff, eve of none.

import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [command, ...rest] = process.argv.slice(2);
await { serve, browse }[command](...rest);

async function serve(redirectUri) {
  const installed = createRequire(`${process.env.SEAMWATCH_TEST_MODULES}/`);
  const { Provider } = await import(pathToFileURL(installed.resolve('oidc-provider')));
  const server = createServer();
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const jwk = (...kind) => ({ ...generateKeyPairSync(...kind).privateKey.export({ format: 'jwk' }), use: 'sig' });
  const client = (client_id, id_token_signed_response_alg) => ({
    client_id,
    client_secret: 's:e%cret',
    redirect_uris: [redirectUri],
    id_token_signed_response_alg,
  });
  const provider = new Provider(issuer, {
    clients: [client('rs', 'RS256'), client('es', 'ES256')],
    jwks: { keys: [jwk('rsa', { modulusLength: 2048 }), jwk('ec', { namedCurve: 'P-256' })] },
    cookies: { keys: ['a key of a test'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    scopes: ['openid', 'groups'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({
        sub,
        name: `${sub} of the test`,
        email: `${sub}@example.com`,
        email_verified: true,
        groups: sub === 'ada' ? ['ops', 'staff'] : [],
      }),
    }),
  });
  const pages = provider.callback();
  server.on('request', (request, response) => {
    const page = request.url.startsWith('/interaction/') ? agree(provider, request, response) : pages(request, response);
    Promise.resolve(page).catch((error) => response.destroy(error));
  });
  console.log(JSON.stringify({ issuer }));
}

// Says yes to whatever is asked, as the person whom the address hints at.
async function agree(provider, request, response) {
  const { prompt, params, session, grantId } = await provider.interactionDetails(request, response);
  let result = { login: { accountId: params.login_hint } };
  if (prompt.name === 'consent') {
    const known = grantId && (await provider.Grant.find(grantId));
    const grant = known || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope);
    result = { consent: { grantId: await grant.save() } };
  }
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

async function browse(start, login) {
  const cookies = new Map();
  let url = new URL(start);
  url.searchParams.set('login_hint', login);
  const home = url.origin;
  for (let hops = 0; hops < 20 && url.origin === home; hops += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const line of answer.headers.getSetCookie()) {
      const [name, value] = line.split(';')[0].split('=');
      cookies.set(name, value);
    }
    const to = answer.headers.get('location');
    if (!to) throw new Error(`${answer.status} at ${url}: ${await answer.text()}`);
    url = new URL(to, url);
  }
  console.log(JSON.stringify(Object.fromEntries(url.searchParams)));
}
