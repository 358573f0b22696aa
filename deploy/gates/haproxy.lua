-- Calls a gate of sts-verify to decide whether a request may pass, for `http-request lua.gate URL`.
--
-- It sets txn.gate_status (0 if there was no answer), txn.gate_challenge, txn.gate_retry_after, and one variable for each header of the gate's
-- answer, such as txn.x_sts_account. haproxy.cfg uses these variables.

local ANSWERED = {
    "x-sts-account", "x-sts-principal", "x-sts-arn", "x-sts-user-id", "x-sts-session-name", "x-sts-principal-type",
    "x-sts-partition", "x-sts-org-id", "x-sts-org-path",
}

local TIMEOUT = 25000 -- milliseconds; longer than STS_VERIFY_DEADLINE

-- All values of a header, in the form that the HTTP client takes. A repeated header has to stay repeated, so that the gate refuses it.
local function values(headers, name)
    local found = {}
    for _, value in pairs(headers[name] or {}) do
        found[#found + 1] = value
    end
    return found
end

local function first(headers, name)
    return headers and headers[name] and headers[name][0] or ""
end

core.register_action("gate", { "http-req" }, function(txn, url)
    local given = txn.http:req_get_headers()
    local answer = core.httpclient():get({
        url = url,
        headers = {
            ["x-sts-verify-proof"] = values(given, "x-sts-verify-proof"),
            ["authorization"] = values(given, "authorization"),
            -- The client's address, for the gate's rate limit: STS_VERIFY_TRUSTED_PROXIES=1.
            ["x-forwarded-for"] = { txn.f:src() },
        },
        timeout = TIMEOUT,
    })
    local status = answer and answer.status or 0
    local headers = answer and answer.headers
    txn:set_var("txn.gate_status", status)
    txn:set_var("txn.gate_challenge", first(headers, "www-authenticate"))
    txn:set_var("txn.gate_retry_after", first(headers, "retry-after"))
    for _, name in ipairs(ANSWERED) do
        txn:set_var("txn." .. name:gsub("-", "_"), first(headers, name))
    end
end, 1)
