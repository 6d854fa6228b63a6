//! Which instances a device has, and which ones are written: a server keeps the instances that its
//! Short Server ID has already.

use crate::proto::lwm2m::operation::DiscoverAnswer;
use crate::proto::lwm2m::{Path, Version};

use super::configuration::{Configuration, SECURITY, SERVER};

/// What a device has of the objects Security and Server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Present {
    /// LwM2M version of the device, as far as it says.
    pub version: Option<Version>,
    /// Security instances with their Short Server IDs; that of a bootstrap server has none.
    pub security: Vec<(u16, Option<u16>)>,
    /// Server instances with their Short Server IDs, as far as they are known.
    pub servers: Vec<(u16, Option<u16>)>,
    /// Instances of other objects.
    pub others: Vec<Path>,
}

/// Where everything goes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Placement {
    /// What is deleted first.
    pub deletes: Vec<Path>,
    /// Security and Server instance of each server, in order.
    pub servers: Vec<(u16, u16)>,
    /// Security instance of the bootstrap server.
    pub bootstrap: u16,
}

impl Present {
    /// What the answer to a Bootstrap-Discover says.
    #[must_use]
    pub fn of(answer: &DiscoverAnswer) -> Self {
        let mut present = Self {
            version: answer.lwm2m,
            ..Self::default()
        };
        for link in &answer.links {
            match link.path.segments() {
                [SECURITY, instance] => present.security.push((*instance, link.short_server_id)),
                [SERVER, instance] => present.servers.push((*instance, link.short_server_id)),
                [_, _] => present.others.push(link.path),
                _ => {}
            }
        }
        present
    }

    /// Server instances whose Short Server ID the device did not tell.
    pub fn unnamed(&self) -> impl Iterator<Item = u16> + '_ {
        let unnamed = self.servers.iter().filter(|(_, id)| id.is_none());
        unnamed.map(|(instance, _)| *instance)
    }

    /// Notes the Short Server ID of a Server instance.
    pub fn name(&mut self, instance: u16, short_id: u16) {
        for (known, id) in &mut self.servers {
            if *known == instance {
                *id = Some(short_id);
            }
        }
    }
}

/// Chooses instances on a device that has `present`; `None` when it does not tell. Then its servers
/// go, which leaves the account of the bootstrap server (LwM2M Core §6.1.7.5), and instance 0 of
/// Security is left alone, where most devices have that.
#[must_use]
pub fn place(configuration: &Configuration, present: Option<&Present>) -> Placement {
    let mut deletes: Vec<_> = configuration
        .cleared
        .iter()
        .copied()
        .map(Path::object)
        .collect();
    let Some(present) = present else {
        deletes.insert(0, Path::object(SERVER));
        deletes.insert(0, Path::object(SECURITY));
        let count = configuration.servers.len() as u16;
        return Placement {
            deletes,
            servers: (0..count).map(|at| (at + 1, at)).collect(),
            bootstrap: 0,
        };
    };
    let of = |instances: &[(u16, Option<u16>)], id: u16| {
        let found = instances.iter().find(|(_, short)| *short == Some(id));
        found.map(|(instance, _)| *instance)
    };
    let bootstrap = present.security.iter().find(|(_, short)| short.is_none());
    let bootstrap = bootstrap.map(|(instance, _)| *instance);
    let mut security = Free::beside(&present.security);
    let mut servers = Free::beside(&present.servers);
    // A device without account of the bootstrap server gets it where devices have it.
    let bootstrap = bootstrap.unwrap_or_else(|| security.next());
    let mut placed = Vec::with_capacity(configuration.servers.len());
    for server in &configuration.servers {
        let known = of(&present.security, server.short_id);
        deletes.extend(known.map(|instance| Path::instance(SECURITY, instance)));
        let security = known.unwrap_or_else(|| security.next());
        let known = of(&present.servers, server.short_id);
        deletes.extend(known.map(|instance| Path::instance(SERVER, instance)));
        placed.push((security, known.unwrap_or_else(|| servers.next())));
    }
    let written = configuration.objects.iter().map(|object| object.path);
    deletes.extend(written.filter(|path| {
        let cleared = path
            .object_id()
            .is_some_and(|id| configuration.cleared.contains(&id));
        !cleared && present.others.contains(path)
    }));
    Placement {
        deletes,
        servers: placed,
        bootstrap,
    }
}

/// Ids above those in use; where there are none above, those in between.
struct Free<'a> {
    used: &'a [(u16, Option<u16>)],
    given: Vec<u16>,
}

impl<'a> Free<'a> {
    fn beside(used: &'a [(u16, Option<u16>)]) -> Self {
        Self {
            used,
            given: Vec::new(),
        }
    }

    fn next(&mut self) -> u16 {
        let used = self.used.iter().map(|(instance, _)| *instance);
        let used: Vec<_> = used.chain(self.given.iter().copied()).collect();
        let above = used
            .iter()
            .max()
            .map_or(0, |highest| highest.saturating_add(1));
        let id = if above <= Path::MAX_ID {
            above
        } else {
            let mut ids = 0..=Path::MAX_ID;
            ids.find(|id| !used.contains(id)).unwrap_or_default()
        };
        self.given.push(id);
        id
    }
}
