"""Makes a run that spin replays readable: one line for each turn of a process, with what it changed."""
import re

SCRATCH = {"each", "unreachable"}  # and the claims


def message_names(model, link):
    """The names of the bits of to_participant or to_coordinator, as the model defines them."""
    block = model.split(f"byte {link}[N]")[0].rsplit("\n\n", 1)[-1]
    return {int(bit): name for name, bit in re.findall(r"#define (\w+) (\d+)$", block, re.M)}


def spell(variable, value, messages):
    for link, names in messages.items():
        if variable.startswith(link):
            present = [name for bit, name in sorted(names.items()) if int(value) & bit]
            return f"{variable} = {{{' '.join(present)}}}"
    return f"{variable} = {value}"


class Cast:
    """Who is who: process numbers, as spin announces them."""

    def __init__(self):
        self.names, self.count = {}, {}

    def enter(self, name, pid):
        self.names[int(pid)] = (name, self.count.setdefault(name, 0))
        self.count[name] += 1

    def who(self, name, pid):
        # The search for endless runs has a process of its own, which shifts the numbers by one.
        for number in (int(pid), int(pid) + 1):
            if self.names.get(number, ("", 0))[0] == name:
                return f"{name} {self.names[number][1]}"
        return name


def changes_in(line, known):
    """Variables and their new values; what a log says is only to be seen in the statement itself."""
    if said := re.match(r"\t\t(\S+) = (\S+)$", line):
        return [said.groups()]
    if logged := re.search(r"\[((?:disk|view)\.(?:at|decision)) = ([\w.]+)\]", line):
        variable, value = logged.groups()
        return [(variable, known.get(value, value))]
    return []


def readable(steps, model, claims):
    messages = {link: message_names(model, link) for link in ("to_participant", "to_coordinator")}
    known = {f"{log}.{field}": value for log in ("disk", "view")
             for field, value in (("at", "EMPTY"), ("decision", "undecided"))}
    cast, turns = Cast(), []
    # What stands after this line is the final state, said already.
    for line in steps.split("spin: trail ends")[0].splitlines():
        if begun := re.match(r"Starting (\w+) with pid (\d+)", line):
            cast.enter(*begun.groups())
        if step := re.match(r"\s*\d+:\s+proc\s+(\d+) \((\w+)", line):
            who = cast.who(step.group(2), step.group(1))
            if not turns or turns[-1][0] != who:
                turns.append((who, {}))
        if "START OF CYCLE" in line:
            turns.append(("for ever:", {"": ""}))
        for variable, value in changes_in(line, known):
            is_new = known.get(variable, "0") != value and (variable in known or value != "UNKNOWN")
            known[variable] = value
            if turns and is_new and variable not in SCRATCH | claims:
                turns[-1][1][variable] = spell(variable, value, messages)
    lines = [f"{who:14} {'  '.join(changes.values())}" for who, changes in turns if changes]
    return "\n".join(lines + re.findall(r"text of failed assertion: (.*)", steps)[:1])
