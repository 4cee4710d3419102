//! The rules of `[shifts]`.

use std::collections::BTreeMap;

use super::Rules;
use crate::config::key_path::KeyPath;
use crate::config::problem::suggest;
use crate::config::schema::load_balancers::{Forward, Listener};
use crate::config::schema::shifts::Shift;
use crate::config::schema::text::ItemName;
use crate::words::load_balancers::BalancerType;

/// Words after `payctl shift` that are not the name of one.
const COMMANDS: [&str; 3] = ["back", "help", "status"];

/// How many alarms CloudWatch tells in one call.
const MOST_ALARMS: usize = 100;

impl<'a> Rules<'a> {
    pub(super) fn shifts(&mut self) {
        // The shift of each divider: two would move the same weights.
        let mut movers: BTreeMap<String, &str> = BTreeMap::new();
        for (name, shift) in &self.config.shifts {
            let path = KeyPath::of("shifts").key(name);
            if COMMANDS.contains(&&**name) {
                let message = format!("`payctl shift {}` is a command", name.0);
                self.say(&path, message, "choose another name");
            }
            let dividers = [
                ("listener", shift.listener.as_ref().map(|it| it.0.clone())),
                ("rule", shift.rule.as_ref().map(|it| it.0.clone())),
                ("alias", shift.alias.as_ref().map(|it| it.0.clone())),
                ("stage", shift.stage.as_ref().map(|it| it.0.clone())),
            ];
            let given: Vec<(&str, String)> =
                dividers.into_iter().filter_map(|(key, it)| Some((key, it?))).collect();
            match given.as_slice() {
                [(key, divider)] => {
                    if let Some(other) = movers.insert(format!("{key} {divider}"), &name.0) {
                        let message = format!("the shift `{other}` already moves `{divider}`");
                        self.say(&path.key(key), message, "keep one of the two");
                    }
                }
                [] => {
                    let fix = "set one of `listener`, `rule`, `alias` and `stage`";
                    self.say(&path, "the shift does not say what divides the traffic", fix);
                }
                [(first, _), (second, _), ..] => {
                    let message = format!("{first} and {second} cannot be used together");
                    self.say(&path.key(first), message, "keep only one");
                }
            }
            self.divided_listener(&path, shift);
            self.shifted_alias(&path, shift);
            self.shift_watches(&path, shift);
        }
    }

    /// A listener or a rule, with two target groups.
    fn divided_listener(&mut self, path: &KeyPath, shift: &Shift) {
        let (key, forward) = if let Some(listener) = &shift.listener {
            let Some((balancer, port)) = listener.parts() else { return };
            let path = path.key("listener");
            let Some((balancer, listener)) = self.listener_of(&path, balancer, port) else {
                return;
            };
            self.can_divide(&path, balancer);
            ("listener", listener.forward.as_ref())
        } else if let Some(rule) = &shift.rule {
            let Some(named) = rule.parts() else { return };
            let (balancer, port, rule) = named;
            let path = path.key("rule");
            let Some((balancer, listener)) = self.listener_of(&path, balancer, port) else {
                return;
            };
            let Some(found) = listener.rules.get(&ItemName(rule.to_owned())) else {
                let names = listener.rules.keys().map(|name| name.0.as_str());
                let fix = suggest(rule, names, "rules of this listener");
                return self.say(&path, format!("the listener has no rule `{rule}`"), fix);
            };
            self.can_divide(&path, balancer);
            let mut services = self.config.services.iter();
            let mover = services.find(|(_, one)| self.config.deployed_rule(one) == Some(named));
            if let Some((service, _)) = mover {
                let message = format!(
                    "the deployments of the service `{}` move this rule's weights",
                    service.0
                );
                self.say(&path, message, "remove the shift, or the strategy of the service");
            }
            ("rule", found.forward.as_ref())
        } else {
            for (key, side) in [("from", &shift.from), ("to", &shift.to)] {
                if side.is_some() {
                    let message = format!("`{key}` is only for listeners and rules");
                    self.say(&path.key(key), message, "remove it");
                }
            }
            return;
        };
        let (Some(from), Some(to)) = (&shift.from, &shift.to) else {
            let missing = if shift.from.is_none() { "from" } else { "to" };
            let message = format!("the shift of a {key} needs `{missing}`");
            return self.say(path, message, "name one of its target groups");
        };
        if from == to {
            let path = path.key("to");
            return self.say(&path, "both sides are the same target group", "name the other one");
        }
        let mut groups: Vec<&str> =
            forward.iter().flat_map(|it| it.shares()).map(|it| it.0).collect();
        groups.sort_unstable();
        let mut sides = [from.0.as_str(), to.0.as_str()];
        sides.sort_unstable();
        if groups != sides || !matches!(forward, Some(Forward::Weighted(_))) {
            let message =
                format!("the {key} does not forward to exactly `{}` and `{}`", from.0, to.0);
            let fix = format!("set `forward = {{ {} = 100, {} = 0 }}` there", from.0, to.0);
            self.say(&path.key(key), message, fix);
        }
    }

    fn listener_of(
        &mut self,
        path: &KeyPath,
        balancer: &str,
        port: u16,
    ) -> Option<(BalancerType, &'a Listener)> {
        let config = self.config;
        let Some(found) = config.load_balancers.get(&ItemName(balancer.to_owned())) else {
            let names = config.load_balancers.keys().map(|name| name.0.as_str());
            let fix = suggest(balancer, names, "names in [load_balancers]");
            self.say(path, format!("[load_balancers] has no `{balancer}`"), fix);
            return None;
        };
        let listener = found.listeners.iter().find(|one| one.port == port);
        if listener.is_none() {
            let ports: Vec<String> =
                found.listeners.iter().map(|one| one.port.to_string()).collect();
            let message = format!("the load balancer `{balancer}` has no listener on port {port}");
            self.say(path, message, format!("its ports: {}", ports.join(", ")));
        }
        Some((found.kind, listener?))
    }

    fn can_divide(&mut self, path: &KeyPath, kind: BalancerType) {
        if kind == BalancerType::Network {
            let message = "payctl shifts traffic of application load balancers only";
            self.say(path, message, "use an application load balancer, or an alias");
        }
    }

    fn shifted_alias(&mut self, path: &KeyPath, shift: &Shift) {
        let Some(callee) = &shift.alias else { return };
        let path = path.key("alias");
        let (function, Some(alias)) = callee.parts() else {
            let message = "a function alone does not divide its calls";
            return self.say(&path, message, format!("name an alias: `{}:live`", callee.0));
        };
        let found = self.config.functions.get(&ItemName(function.to_owned()));
        let found = found.and_then(|found| found.aliases.get(&ItemName(alias.to_owned())));
        if found.is_some_and(|found| found.hold) {
            let message = "an alias with `hold` stays at its version";
            self.say(&path, message, "remove `hold` of the alias, or the shift");
        }
        if found.is_some_and(|found| found.provisioned_concurrency.is_some()) {
            let message = "a shift leaves an alias with two versions, and AWS does not change the \
                           provisioned concurrency of such an alias";
            self.say(&path, message, "remove `provisioned_concurrency` of the alias, or the shift");
        }
    }

    fn shift_watches(&mut self, path: &KeyPath, shift: &Shift) {
        let rises = shift.steps.windows(2).all(|pair| pair[0] < pair[1]);
        if !rises || shift.steps.last() != Some(&100) {
            let message = "the steps do not rise to 100";
            self.say(&path.key("steps"), message, "write for example [10, 25, 50, 100]");
        }
        if shift.watch.len() > MOST_ALARMS {
            let message = format!("too many alarms: {}", shift.watch.len());
            self.say(&path.key("watch"), message, format!("use at most {MOST_ALARMS}"));
        }
        if let Some(limits) = &shift.limits
            && limits.error_rate.is_none()
            && limits.p99.is_none()
        {
            self.say(&path.key("limits"), "there is no limit", "set `error_rate` or `p99`");
        }
        if shift.stage.is_some() && shift.limits.is_some() {
            let message = "AWS has no figures for each deployment of a stage";
            self.say(&path.key("limits"), message, "remove them, and use alarms or a probe");
        }
        if let Some(probe) = &shift.probe {
            let fix = "remove it: a probe asks for a page that needs none";
            self.web_address(&path.key("probe").key("url"), &probe.url, "health", fix);
        }
    }
}
