//! Who turned which flag, when and why.
//!
//! ```text
//!   an operator, at run time   counts before all others
//!   the program itself         off only, for as long as it takes; an operator's word stands
//!   the environment            \
//!   the configuration file      } one value, from the first of these that has one
//!   the default                /
//! ```
//!
//! Each layer is taken back by itself, and what lies below it counts again: what the program has
//! switched off comes back by itself, and what an operator has turned stays until they clear it.

use std::borrow::Cow;
use std::cell::{OnceCell, Ref, RefCell};

use jiff::Timestamp;

use super::{Flag, Flags};

/// Longer reasons are cut off.
pub const WHY_BYTES_MAX: usize = 200;

/// Who turned a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Nobody.
    Default,
    /// The configuration file.
    File,
    /// A variable of the environment, or of the file beside the configuration.
    Environment,
    /// An operator, at run time.
    Api,
    /// The program itself, against pressure or because the flag did harm.
    Automatic,
}

impl By {
    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Api => "api",
            Self::Automatic => "automatic",
        }
    }
}

/// How a flag stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Whether it is on.
    pub on: bool,
    /// Who turned it.
    pub by: By,
    /// What for, in the words of whoever did; perhaps none.
    pub why: Cow<'static, str>,
    /// Since when it stands like this.
    pub since: Timestamp,
}

/// All flags, each with its layers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switches {
    configured: [Switch; Flag::COUNT],
    automatic: [Option<Switch>; Flag::COUNT],
    operator: [Option<Switch>; Flag::COUNT],
}

impl Switches {
    /// As configured; `by` says for each flag by whom.
    pub fn new(flags: Flags, by: [By; Flag::COUNT], now: Timestamp) -> Self {
        let configured = Flag::ALL.map(|flag| Switch {
            on: flags.is_on(flag),
            by: by[flag as usize],
            why: Cow::Borrowed(""),
            since: now,
        });
        let none = [const { None }; Flag::COUNT];
        Self { configured, automatic: none.clone(), operator: none }
    }

    /// Takes over another configuration. What was turned since the start stays turned.
    pub fn configure(&mut self, flags: Flags, by: [By; Flag::COUNT], now: Timestamp) {
        let new = Self::new(flags, by, now).configured;
        for (old, new) in self.configured.iter_mut().zip(new) {
            if (old.on, old.by) != (new.on, new.by) {
                *old = new;
            }
        }
    }

    /// An operator turns a flag.
    pub fn turn(&mut self, flag: Flag, on: bool, why: &str, now: Timestamp) {
        let why = &why[..why.floor_char_boundary(WHY_BYTES_MAX)];
        let why = Cow::Owned(why.to_owned());
        self.operator[flag as usize] = Some(Switch { on, by: By::Api, why, since: now });
    }

    /// An operator takes back what they have turned.
    pub fn clear(&mut self, flag: Flag) {
        self.operator[flag as usize] = None;
    }

    /// The program switches a flag off, until it lets go of it.
    pub fn switch_off(&mut self, flag: Flag, why: &'static str, now: Timestamp) {
        let why = Cow::Borrowed(why);
        self.automatic[flag as usize] =
            Some(Switch { on: false, by: By::Automatic, why, since: now });
    }

    /// The program lets go of a flag.
    pub fn let_go(&mut self, flag: Flag) {
        self.automatic[flag as usize] = None;
    }

    /// Why the program has switched a flag off, if it has.
    pub fn automatic(&self, flag: Flag) -> Option<&str> {
        self.automatic[flag as usize].as_ref().map(|switch| &*switch.why)
    }

    /// How a flag stands, by whoever counts.
    pub fn switch(&self, flag: Flag) -> &Switch {
        let layers = [&self.operator[flag as usize], &self.automatic[flag as usize]];
        layers.into_iter().find_map(Option::as_ref).unwrap_or(&self.configured[flag as usize])
    }

    /// What all of them come to.
    pub fn flags(&self) -> Flags {
        let mut flags = Flags::OFF;
        Flag::ALL.into_iter().for_each(|flag| flags.set(flag, self.switch(flag).on));
        flags
    }
}

/// The switches of the running program; a change takes effect before it returns.
pub struct Switchboard {
    switches: RefCell<Switches>,
    carry_out: OnceCell<Box<dyn Fn(Flags)>>,
}

impl Switchboard {
    /// A board that nothing hangs on yet.
    pub fn new(switches: Switches) -> Self {
        Self { switches: RefCell::new(switches), carry_out: OnceCell::new() }
    }

    /// Has every change carried out by `carry_out`, beginning with how things stand. The first
    /// caller counts.
    pub fn connect(&self, carry_out: impl Fn(Flags) + 'static) {
        carry_out(self.read().flags());
        // Whoever comes second is not connected.
        let _ = self.carry_out.set(Box::new(carry_out));
    }

    /// How all flags stand.
    pub fn read(&self) -> Ref<'_, Switches> {
        self.switches.borrow()
    }

    /// Changes switches, and carries out what that comes to.
    pub fn change(&self, change: impl FnOnce(&mut Switches)) {
        let before = self.read().flags();
        change(&mut self.switches.borrow_mut());
        let flags = self.read().flags();
        if flags != before
            && let Some(carry_out) = self.carry_out.get()
        {
            carry_out(flags);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    #[test]
    fn an_operator_counts_before_the_program_and_that_before_the_configuration() {
        let by = [By::File; Flag::COUNT];
        let mut switches = Switches::new(Flags::ON, by, at(0));
        let flag = Flag::Warming;
        let check = |switches: &Switches, on: bool, by: By, why: &str, since: i64| {
            let switch = switches.switch(flag);
            let found = (switch.on, switch.by, &*switch.why, switch.since);
            assert_eq!(found, (on, by, why, at(since)));
            assert_eq!(switches.flags(), Flags { warming: on, ..Flags::ON });
        };
        check(&switches, true, By::File, "", 0);
        switches.switch_off(flag, "heat", at(1));
        check(&switches, false, By::Automatic, "heat", 1);
        switches.turn(flag, true, "let it be warm", at(2));
        check(&switches, true, By::Api, "let it be warm", 2);
        switches.clear(flag);
        check(&switches, false, By::Automatic, "heat", 1);
        switches.turn(flag, false, "", at(3));
        switches.let_go(flag);
        check(&switches, false, By::Api, "", 3);
        switches.clear(flag);
        check(&switches, true, By::File, "", 0);
    }

    #[test]
    fn another_configuration_leaves_what_was_turned_and_what_is_the_same() {
        let by = [By::Default; Flag::COUNT];
        let mut switches = Switches::new(Flags::ON, by, at(0));
        switches.turn(Flag::Caching, false, "", at(1));
        let new = Flags { batching: false, ..Flags::ON };
        switches.configure(new, by, at(2));
        assert_eq!(switches.flags(), Flags { caching: false, ..new });
        let since = |flag| switches.switch(flag).since;
        assert_eq!([since(Flag::Batching), since(Flag::Warming)], [at(2), at(0)]);
    }

    #[test]
    fn a_reason_is_cut_between_two_characters() {
        let mut switches = Switches::new(Flags::ON, [By::Default; Flag::COUNT], at(0));
        switches.turn(Flag::Caching, false, &"ä".repeat(WHY_BYTES_MAX), at(0));
        assert_eq!(switches.switch(Flag::Caching).why, "ä".repeat(WHY_BYTES_MAX / 2));
    }

    #[test]
    fn a_change_is_carried_out_before_it_returns_and_nothing_without_one() {
        let switches = Switches::new(Flags::ON, [By::Default; Flag::COUNT], at(0));
        let board = Switchboard::new(switches);
        let carried = Rc::new(Cell::new((0, Flags::OFF)));
        board.connect({
            let carried = Rc::clone(&carried);
            move |flags| carried.set((carried.get().0 + 1, flags))
        });
        assert_eq!(carried.get(), (1, Flags::ON));
        board.change(|switches| switches.switch_off(Flag::Caching, "", at(0)));
        let off = Flags { caching: false, ..Flags::ON };
        assert_eq!(carried.get(), (2, off));
        board.change(|switches| switches.turn(Flag::Caching, false, "", at(0)));
        assert_eq!(carried.get(), (2, off));
    }
}
