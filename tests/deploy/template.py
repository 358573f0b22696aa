"""Evaluates a CloudFormation template for given parameters, for the features used here."""

import re

import yaml

NO_VALUE = object()

PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::NoValue": NO_VALUE,
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "sts-verify",
}

# Attributes that exist only after CloudFormation has created the resource, with values of the right form.
ATTRIBUTES = {
    "DnsEntries": ["Z1:vpce-1-2.sts.eu-west-1.vpce.amazonaws.com", "Z2:vpce-1-2-a.sts.eu-west-1.vpce.amazonaws.com"]
}


class Loader(yaml.SafeLoader):
    """YAML with the short forms of the functions, such as !Ref and !Sub."""


def function(loader, suffix, node):
    values = {
        yaml.ScalarNode: loader.construct_scalar,
        yaml.SequenceNode: lambda node: loader.construct_sequence(node, deep=True),
    }
    return {suffix if suffix == "Ref" else f"Fn::{suffix}": values[type(node)](node)}


Loader.add_multi_constructor("!", function)


def load(path):
    with open(path, encoding="utf-8") as file:
        return yaml.load(file, Loader)


class Stack:
    """The template with these parameters: `resources` has the properties of each resource that would be made."""

    def __init__(self, template, parameters):
        self.template = template
        self.parameters = {
            name: parameters.get(name, about.get("Default")) for name, about in template["Parameters"].items()
        }
        self.conditions = {name: self.value(about) for name, about in template["Conditions"].items()}
        self.resources = {
            name: (about["Type"], self.value(about["Properties"]))
            for name, about in template["Resources"].items()
            if self.conditions.get(about.get("Condition"), True)
        }

    def of_type(self, kind):
        return {name: properties for name, (found, properties) in self.resources.items() if found == kind}

    def only(self, kind):
        (properties,) = self.of_type(kind).values()
        return properties

    def value(self, node):
        if isinstance(node, list):
            return [item for item in map(self.value, node) if item is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1 and (next(iter(node)) == "Ref" or next(iter(node)).startswith("Fn::")):
            ((name, argument),) = node.items()
            return getattr(self, name.removeprefix("Fn::").lower())(argument)
        items = ((name, self.value(item)) for name, item in node.items())
        return {name: item for name, item in items if item is not NO_VALUE}

    def ref(self, name):
        known = PSEUDO | self.parameters
        return known[name] if name in known else self.attribute(name, "Ref")

    def getatt(self, path):
        return self.attribute(*path.split("."))

    def attribute(self, resource, attribute):
        assert resource in self.template["Resources"], f"there is no resource {resource}"
        return ATTRIBUTES.get(attribute, f"<{resource}.{attribute}>")

    def sub(self, text):
        return re.sub(
            r"\$\{([^}]+)\}", lambda match: str(self.getatt(match[1]) if "." in match[1] else self.ref(match[1])), text
        )

    def join(self, argument):
        return argument[0].join(self.value(argument[1]))

    def select(self, argument):
        return self.value(argument[1])[int(argument[0])]

    def split(self, argument):
        return self.value(argument[1]).split(argument[0])

    def equals(self, argument):
        first, second = map(self.value, argument)
        return str(first) == str(second)

    def not_(self, argument):
        return not self.value(argument[0])

    def if_(self, argument):
        return self.value(argument[1] if self.conditions[argument[0]] else argument[2])


# Keywords of Python cannot be method names in a class body.
setattr(Stack, "not", Stack.not_)
setattr(Stack, "if", Stack.if_)
