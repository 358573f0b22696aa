// Prints the credentials of a role's session as the AWS SDK for JavaScript holds them, in the form that is asked for.
// It assumes the role with the credentials of the environment, at the STS of AWS_ENDPOINT_URL_STS.

import { createRequire } from "node:module";

const require = createRequire(`${process.env.NODE_MODULES}/`);
const { AssumeRoleCommand, STSClient, getDefaultRoleAssumer } = require("@aws-sdk/client-sts");

const [form, role] = process.argv.slice(2);
const session = { RoleArn: role, RoleSessionName: "Session" };
const settings = { region: "us-east-1", endpoint: process.env.AWS_ENDPOINT_URL_STS };
const own = {
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
};

const forms = {
  // The identity object that every credential provider of the SDK returns.
  credentials: () => getDefaultRoleAssumer(settings)(own, session),
  // The configuration that a program would make a client with.
  client: async () => ({ region: "us-east-1", credentials: await forms.credentials() }),
  // The output of the operation.
  output: () => new STSClient({ ...settings, credentials: own }).send(new AssumeRoleCommand(session)),
};

console.log(JSON.stringify(await forms[form]()));
