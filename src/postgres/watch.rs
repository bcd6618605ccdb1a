//! Being told when something in the catalogs changes that an answer of theirs depends on.
//!
//! PostgreSQL tells a process of every change of every table, function or type, those of temporary
//! tables of anybody included. What does not matter must not cost anything: any role can make
//! thousands of changes a second.

use pgrx::prelude::*;
use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::c_int;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Something in the catalogs that can change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Object {
    /// A table, a view or an index, with all that belongs to it.
    Relation(u32),
    /// An entry of one of PostgreSQL's caches, by its hash.
    Cached(c_int, u32),
    /// Which roles are members of which.
    Memberships,
}

impl Object {
    /// A table, a view or an index.
    pub fn relation(oid: pg_sys::Oid) -> Self {
        Self::Relation(oid.to_u32())
    }

    /// What a catalog and a number in it stand for; `None` of catalogs that nothing depends on.
    pub fn of(catalog: Option<pg_sys::Oid>, oid: Option<pg_sys::Oid>) -> Option<Self> {
        use pg_sys::SysCacheIdentifier::{AUTHOID, OPEROID, PROCOID, TYPEOID};
        let (catalog, oid) = (catalog?, oid?);
        let cache = match catalog {
            pg_sys::RelationRelationId => return Some(Self::relation(oid)),
            MEMBERSHIPS => return Some(Self::Memberships),
            pg_sys::ProcedureRelationId => PROCOID,
            pg_sys::OperatorRelationId => OPEROID,
            pg_sys::TypeRelationId => TYPEOID,
            pg_sys::AuthIdRelationId => AUTHOID,
            _ => return None,
        } as c_int;
        let none = pg_sys::Datum::from(0);
        // SAFETY: these caches have one key, which is an oid.
        let hash = unsafe { pg_sys::GetSysCacheHashValue(cache, oid.into(), none, none, none) };
        Some(Self::Cached(cache, hash))
    }
}

/// Grows with every change that matters.
static CHANGES: AtomicU64 = AtomicU64::new(1);
static IS_TOLD: AtomicBool = AtomicBool::new(false);

/// The catalog pg_auth_members, which pgrx does not name.
const MEMBERSHIPS: pg_sys::Oid = pg_sys::Oid::from_u32(1261);

/// Which changes matter.
enum Matters {
    /// Not known yet: these have changed since it is being found out. `None` is too many to count.
    IsAsked(Option<Vec<Object>>),
    These(HashSet<Object>),
}

/// Most changes that are kept while it is being found out which matter.
const MOST_KEPT: usize = 10_000;

thread_local! {
    static MATTERS: RefCell<Matters> = const { RefCell::new(Matters::IsAsked(None)) };
}

/// How many changes that matter this process was told of.
pub fn changes() -> u64 {
    be_told();
    CHANGES.load(Ordering::Relaxed)
}

/// It is about to be found out which changes matter. [`these`] ends it; until then [`changes`]
/// need not grow.
pub fn ask() {
    MATTERS.set(Matters::IsAsked(Some(Vec::new())));
}

/// From now on only changes of these matter, and those of them since [`ask`].
pub fn these(objects: &[Object]) {
    let objects: HashSet<Object> = objects.iter().copied().collect();
    let before = MATTERS.replace(Matters::These(HashSet::new()));
    let has_changed = match &before {
        Matters::IsAsked(Some(changed)) => changed.iter().any(|object| objects.contains(object)),
        Matters::IsAsked(None) | Matters::These(_) => true,
    };
    MATTERS.set(Matters::These(objects));
    if has_changed {
        CHANGES.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks PostgreSQL to call this process back when something changes.
fn be_told() {
    use pg_sys::SysCacheIdentifier::{AUTHMEMMEMROLE, AUTHOID, OPEROID, PROCOID, TYPEOID};
    if IS_TOLD.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: the functions live as long as the process, and only touch what is its own.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::from(0));
        for cache in [PROCOID, OPEROID, TYPEOID, AUTHOID, AUTHMEMMEMROLE] {
            let cache = cache as c_int;
            pg_sys::CacheRegisterSyscacheCallback(
                cache,
                Some(entry_changed),
                pg_sys::Datum::from(0),
            );
        }
    }
}

fn changed(object: Object) {
    let matters = MATTERS.with_borrow_mut(|matters| match matters {
        Matters::These(objects) => objects.contains(&object),
        Matters::IsAsked(changed) => {
            match changed {
                Some(kept) if kept.len() < MOST_KEPT => kept.push(object),
                _ => *changed = None,
            }
            false
        }
    });
    if matters {
        CHANGES.fetch_add(1, Ordering::Relaxed);
    }
}

/// A trigger, an index, a constraint, a rule, a policy or the owner of a table changed. 0 stands
/// for all tables.
unsafe extern "C-unwind" fn relation_changed(_: pg_sys::Datum, relation: pg_sys::Oid) {
    match relation.to_u32() {
        0 => all_may_have_changed(),
        relation => changed(Object::Relation(relation)),
    }
}

/// A function, an operator, a type, a role or a membership changed. 0 stands for all of the kind.
unsafe extern "C-unwind" fn entry_changed(_: pg_sys::Datum, cache: c_int, hash: u32) {
    let is_membership = cache == pg_sys::SysCacheIdentifier::AUTHMEMMEMROLE as c_int;
    match hash {
        0 => all_may_have_changed(),
        _ if is_membership => changed(Object::Memberships),
        hash => changed(Object::Cached(cache, hash)),
    }
}

fn all_may_have_changed() {
    MATTERS.with_borrow_mut(|matters| {
        if let Matters::IsAsked(changed) = matters {
            *changed = None;
        }
    });
    CHANGES.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_matters_counts_also_while_that_is_being_found_out() {
        let counted = || CHANGES.load(Ordering::Relaxed);
        let (ours, theirs) = (Object::Relation(1), Object::Cached(2, 3));
        let before = counted();
        ask();
        changed(theirs);
        these(&[ours]);
        assert_eq!(counted(), before);
        changed(theirs);
        changed(Object::Memberships);
        assert_eq!(counted(), before);
        changed(ours);
        assert_eq!(counted(), before + 1);
        ask();
        changed(ours);
        these(&[ours]);
        assert_eq!(counted(), before + 2);
        ask();
        for _ in 0..=MOST_KEPT {
            changed(theirs);
        }
        these(&[ours]);
        assert_eq!(counted(), before + 3);
    }
}
