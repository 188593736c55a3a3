-- How Argo CD shows the health of an Assistant or a Studio: by the conditions that the operator writes.
-- https://argo-cd.readthedocs.io/en/stable/operator-manual/health/#custom-health-checks
local conditions = {}
if obj.status ~= nil and obj.status.conditions ~= nil then
  for _, condition in ipairs(obj.status.conditions) do
    conditions[condition.type] = condition
  end
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

local function health(status, kind)
  local condition = conditions[kind]
  return { status = status, message = condition.reason .. ": " .. condition.message }
end

if obj.metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "It is being deleted" }
end
if conditions.Ready == nil or obj.status.observedGeneration ~= obj.metadata.generation then
  return { status = "Progressing", message = "The operator has not looked at it yet" }
end
if holds("Paused") then
  return health("Suspended", "Paused")
end
if holds("Stalled") then
  return health("Degraded", "Stalled")
end
if holds("Ready") then
  -- It works, if maybe less well than it should: nothing that a deployment has to wait for.
  return health("Healthy", holds("Degraded") and "Degraded" or "Ready")
end
if holds("Reconciling") then
  return health("Progressing", "Reconciling")
end
-- Nothing is wrong and nothing is under way: it is somebody's turn, for instance to ask for a training.
return health("Suspended", "Ready")
