// Makes signed GetCallerIdentity requests with the credentials of the environment, by the AWS SDK for JavaScript and by aws4, and
// prints each as it is posted: the client's name beside it.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { GetCallerIdentityCommand, STSClient } = require("@aws-sdk/client-sts");
const { SignatureV4 } = require("@smithy/signature-v4");
const aws4 = require("aws4");

const [audience] = process.argv.slice(2);
const region = process.env.AWS_REGION;
const client = new STSClient({ region });
const credentials = await client.config.credentials();
const query = { Action: "GetCallerIdentity", Version: "2011-06-15" };
const form = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
const body = new URLSearchParams(query).toString();
const base64 = (text) => Buffer.from(text).toString("base64");

// The request that the client itself would send: its endpoint, before it is signed.
const endpoint = async () => {
  let built;
  const probe = new STSClient({ region });
  probe.middlewareStack.add((next) => async (args) => {
    built = args.request;
    return { output: { $metadata: {} }, response: {} };
  }, { step: "build", priority: "low" });
  await probe.send(new GetCallerIdentityCommand({}));
  return built;
};

const print = (client, made) => console.log(JSON.stringify({ client, ...made }));
const url = (protocol, hostname, path, query) => {
  const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = Object.entries(query).map(([name, value]) => `${escape(name)}=${escape(value)}`);
  return `${protocol}//${hostname}${path}?${pairs.join("&")}`;
};

const login = (host, headers) => ({
  iam_http_request_method: "POST",
  iam_request_url: base64(`https://${host}/`),
  iam_request_body: base64(body),
  iam_request_headers: base64(JSON.stringify(headers)),
});

const { protocol, hostname } = await endpoint();
const signer = new SignatureV4({ service: "sts", region, credentials, sha256: client.config.sha256 });
for (const binding of ["x-sts-verify-audience", "x-k8s-aws-id"]) {
  const headers = { host: hostname, [binding]: audience };
  const request = { method: "GET", protocol, hostname, path: "/", query, headers };
  const signed = await signer.presign(request, { expiresIn: 60, unhoistableHeaders: new Set([binding]) });
  print("@aws-sdk/client-sts", { presigned_url: url(protocol, hostname, "/", signed.query) });
  const sent = { method: "POST", protocol, hostname, path: "/", query: {}, headers: { ...headers, ...form }, body };
  print("@aws-sdk/client-sts", login(hostname, (await signer.sign(sent)).headers));
}

const own = {
  accessKeyId: credentials.accessKeyId,
  secretAccessKey: credentials.secretAccessKey,
  sessionToken: credentials.sessionToken,
};
const about = { host: hostname, service: "sts", region };
const binding = { "x-sts-verify-audience": audience };
const presigned = aws4.sign({ ...about, path: `/?${body}&X-Amz-Expires=60`, signQuery: true, headers: { ...binding } }, own);
print("aws4", { presigned_url: `https://${hostname}${presigned.path}` });
const posted = aws4.sign({ ...about, method: "POST", path: "/", body, headers: { ...form, ...binding } }, own);
print("aws4", login(hostname, posted.headers));
