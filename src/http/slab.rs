//! Fixed slots for connections: allocated once, handed out by number, never grown.
//!
//! Each use of a slot has its own generation, which is part of the [`Token`]: an event or an
//! answer that was meant for the slot's last tenant finds nobody.

/// The name of one tenancy of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Token {
    slot: u32,
    generation: u32,
}

impl Token {
    /// As one number, for epoll's user data.
    pub fn to_u64(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.slot)
    }

    /// Back from [`Token::to_u64`].
    pub fn from_u64(number: u64) -> Self {
        Self { slot: number as u32, generation: (number >> 32) as u32 }
    }

    /// The slot's number, below the slab's capacity.
    pub fn slot(self) -> usize {
        self.slot as usize
    }
}

struct Slot<T> {
    generation: u32,
    tenant: Option<T>,
}

/// `capacity` slots, each free or let to one tenant.
pub struct Slab<T> {
    slots: Box<[Slot<T>]>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    /// All slots, free.
    pub fn new(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| Slot { generation: 0, tenant: None }).collect();
        let free = (0..capacity as u32).rev().collect();
        Self { slots, free }
    }

    /// How many slots there are.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }

    /// What all slots take, tenants' heaps left out.
    pub fn weight_bytes(&self) -> usize {
        self.capacity() * (size_of::<Slot<T>>() + size_of::<u32>())
    }

    /// How many are let.
    pub fn len(&self) -> usize {
        self.capacity() - self.free.len()
    }

    /// True when none is let.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Lets a slot to the tenant that `make` builds for it; `None` when all are taken.
    pub fn insert_with<E>(
        &mut self,
        make: impl FnOnce(Token) -> Result<T, E>,
    ) -> Option<Result<Token, E>> {
        let slot = *self.free.last()?;
        let place = &mut self.slots[slot as usize];
        let token = Token { slot, generation: place.generation };
        Some(make(token).map(|tenant| {
            place.tenant = Some(tenant);
            self.free.pop();
            token
        }))
    }

    /// The tenant of this token, unless it has left.
    pub fn get_mut(&mut self, token: Token) -> Option<&mut T> {
        let slot = self.slots.get_mut(token.slot())?;
        if slot.generation == token.generation { slot.tenant.as_mut() } else { None }
    }

    /// Ends a tenancy; its token is void from now on.
    pub fn remove(&mut self, token: Token) -> Option<T> {
        let slot = self.slots.get_mut(token.slot())?;
        if slot.generation != token.generation {
            return None;
        }
        let tenant = slot.tenant.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(token.slot);
        Some(tenant)
    }

    /// Every tenant with its token.
    pub fn iter(&self) -> impl Iterator<Item = (Token, &T)> {
        self.slots.iter().zip(0..).filter_map(|(slot, number)| {
            let token = Token { slot: number, generation: slot.generation };
            slot.tenant.as_ref().map(|tenant| (token, tenant))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(slab: &mut Slab<&'static str>, tenant: &'static str) -> Option<Token> {
        slab.insert_with(|_| Ok::<_, ()>(tenant)).map(|token| token.unwrap())
    }

    #[test]
    fn the_last_slot_is_let_and_one_more_is_not() {
        let mut slab = Slab::new(2);
        assert!(slab.is_empty());
        assert!(insert(&mut slab, "a").is_some());
        assert!(insert(&mut slab, "b").is_some());
        assert_eq!(insert(&mut slab, "c"), None);
        assert_eq!((slab.len(), slab.capacity()), (2, 2));
    }

    #[test]
    fn a_stale_token_finds_nobody() {
        let mut slab = Slab::new(1);
        let old = insert(&mut slab, "old").unwrap();
        assert_eq!(slab.remove(old), Some("old"));
        let new = insert(&mut slab, "new").unwrap();
        assert_eq!(old.slot(), new.slot());
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get_mut(Token::from_u64(new.to_u64())), Some(&mut "new"));
    }

    #[test]
    fn a_tenant_that_could_not_be_built_leaves_the_slot_free() {
        let mut slab: Slab<&str> = Slab::new(1);
        assert_eq!(slab.insert_with(|_| Err("no")), Some(Err("no")));
        assert!(slab.is_empty());
        assert!(insert(&mut slab, "a").is_some());
    }

    #[test]
    fn tenants_are_listed_with_their_tokens() {
        let mut slab = Slab::new(3);
        let a = insert(&mut slab, "a").unwrap();
        let b = insert(&mut slab, "b").unwrap();
        slab.remove(a);
        assert_eq!(slab.iter().collect::<Vec<_>>(), [(b, &"b")]);
    }
}
