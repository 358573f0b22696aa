-- For wrk: sends requests to the service, and prints the results as one line of JSON. The first argument is the kind
-- of request:
--
--     credentials [N]  POST /verify with new credentials in every request, with a session token of N characters (a multiple of 8; with
--                      400 unless told otherwise, without one if it is 0); without an argument, too
--     signed-request   POST /verify with a new presigned URL in every request
--     token FILE       POST /verify with the tokens in this file, which has one a line, in turn
--     gate             GET /auth/bench with a few presigned URLs in turn, whose identities are cached after the first
--     request
--     batch            POST /verify/batch with 100 lines of new credentials in every request; each line is an answer
--
-- STS accepts every signature, so the signatures here are random. Each thread of wrk runs a copy of this file; the
-- thread's number makes its credentials distinct.

local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local digits = "0123456789abcdef"
local escapes = { ["+"] = "%2B", ["/"] = "%2F" }
local batch_lines, gate_proofs = 100, 64
local threads = {}
local syllables, escaped, hexadecimal, asked = {}, {}, {}, 0
-- Read after the run: the number of answers in a response and, if it has several, the number of valid ones in total.
answers_each, good = 1, 0

function setup(thread)
    table.insert(threads, thread)
    thread:set("number", #threads)
end

local function random_text(alphabet, length)
    local text = {}
    for place = 1, length do
        local letter = math.random(#alphabet)
        text[place] = alphabet:sub(letter, letter)
    end
    return table.concat(text)
end

local function text(pieces, length)
    local parts = {}
    for place = 1, length / 8 do
        parts[place] = pieces[math.random(4096)]
    end
    return table.concat(parts)
end

local function access_key()
    asked = asked + 1
    return string.format("ASIA%02d%06d%08d", number, run, asked)
end

local function credentials(length)
    if length == 0 then
        return string.format('{"stsAccessKey":"%s","stsSecretKey":"%s"}', access_key(), text(syllables, 40))
    end
    return string.format('{"stsAccessKey":"%s","stsSecretKey":"%s","stsSessionToken":"IQoJb3JpZ2luX2Vj%s"}',
        access_key(), text(syllables, 40), text(syllables, (length or 400) - 16))
end

local function presigned_url()
    return string.format("https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
        .. "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%s%%2F%s%%2Fus-east-1%%2Fsts%%2Faws4_request&X-Amz-Date=%s"
        .. "&X-Amz-Expires=900&X-Amz-SignedHeaders=host%%3Bx-sts-verify-audience&X-Amz-Security-Token=IQoJb3JpZ2luX2Vj%s"
        .. "&X-Amz-Signature=%s", access_key(), now:sub(1, 8), now, text(escaped, 384), text(hexadecimal, 64))
end

local function post(body)
    return wrk.format("POST", "/verify", { ["Content-Type"] = "application/json" }, body)
end

-- Requests that are made before the run.
local function in_turn(made)
    return function()
        asked = asked % #made + 1
        return made[asked]
    end
end

local kinds = {}

kinds["credentials"] = function(length)
    length = tonumber(length)
    return function() return post(credentials(length)) end
end

kinds["signed-request"] = function()
    return function() return post('{"presigned_url":"' .. presigned_url() .. '"}') end
end

kinds["token"] = function(file)
    local made = {}
    for token in io.lines(file) do
        table.insert(made, post('{"token":"' .. token .. '"}'))
    end
    return in_turn(made)
end

kinds["gate"] = function()
    local made = {}
    for place = 1, gate_proofs do
        made[place] = wrk.format("GET", "/auth/bench", { ["x-sts-verify-proof"] = presigned_url() })
    end
    asked = 0
    return in_turn(made)
end

kinds["batch"] = function()
    answers_each = batch_lines
    function response(_, _, body)
        good = good + select(2, body:gsub('"verdict":"valid"', ""))
    end
    return function()
        local lines = {}
        for place = 1, batch_lines do
            lines[place] = credentials()
        end
        local headers = { ["Content-Type"] = "application/x-ndjson" }
        return wrk.format("POST", "/verify/batch", headers, table.concat(lines, "\n"))
    end
end

-- 4,096 pieces of eight characters, from which random texts can be built cheaply.
function init(arguments)
    math.randomseed(os.time() * 64 + number)
    for place = 1, 4096 do
        syllables[place] = random_text(letters, 8)
        escaped[place] = syllables[place]:gsub("[+/]", escapes)
        hexadecimal[place] = random_text(digits, 8)
    end
    run = math.random(0, 999999)
    now = os.date("!%Y%m%dT%H%M%SZ")
    request = kinds[arguments[1] or "credentials"](arguments[2])
end

function done(summary, latency)
    local errors = summary.errors
    local each, in_all = threads[1]:get("answers_each"), 0
    for _, thread in ipairs(threads) do
        in_all = in_all + thread:get("good")
    end
    local answers = summary.requests * each
    local refused = each > 1 and answers - in_all or errors.status
    io.write(string.format(
        '{"answers":%d,"seconds":%f,"refused":%d,"broken":%d,"late":%d,"p50":%d,"p99":%d}\n',
        answers, summary.duration / 1e6, refused, errors.connect + errors.read + errors.write,
        errors.timeout, latency:percentile(50), latency:percentile(99)))
end
