// A strict OpenID Connect provider on loopback: PKCE always, exact redirect, one client. It prints its address.
import { Provider } from 'oidc-provider';
import { createServer } from 'node:http';

const [redirectUri, clientSecret] = process.argv.slice(2);
const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ client_id: 'rollouts', client_secret: clientSecret, redirect_uris: [redirectUri] }],
    claims: { email: ['email', 'email_verified'], profile: ['name'] },
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, email: `${id}@example.com`, email_verified: id !== 'unverified', name: `Name of ${id}` }),
    }),
    pkce: { required: () => true },
    cookies: { keys: ['only for tests'] },
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
