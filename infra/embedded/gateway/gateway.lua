-- What kourier's Envoy, the activator and queue-proxy do to a request's headers on its way.
-- NODE and ACTIVATOR are filled in: the addresses that the app sees in X-Forwarded-For.
function envoy_on_request(handle)
  local headers = handle:headers()
  headers:remove("x-vpm-probe")
  local agent = headers:get("user-agent") or ""
  if headers:get("k-network-probe") or headers:get("k-kubelet-probe")
      or agent:sub(1, 11) == "kube-probe/" then
    headers:add("x-vpm-probe", "1")
  end
  if not headers:get("forwarded") then
    local client = headers:get("x-forwarded-for")
    local proto = headers:get("x-forwarded-proto") or "http"
    if client then
      headers:add("forwarded", "for=" .. client .. ";proto=" .. proto)
    else
      headers:add("forwarded", "for=NODE;proto=" .. proto)
    end
  end
  local before = headers:get("x-forwarded-for")
  if before then
    headers:replace("x-forwarded-for", before .. ", NODE, ACTIVATOR")
  else
    headers:add("x-forwarded-for", "NODE, ACTIVATOR")
  end
end
