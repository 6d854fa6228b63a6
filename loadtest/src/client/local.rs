//! What somebody in front of the device does to its objects.

use super::device::Device;
use super::objects::generic_instance;
use super::operations::links_below;
use super::path::Path;
use super::refusal::Refusal;
use super::tree::Tree;

impl Device {
    /// Creates an object instance, each resource with the first value of its type; an Update tells it to the server.
    /// For an object's path, under the first free id.
    ///
    /// # Errors
    ///
    /// When there is no such object, or the instance is there already, or the object takes one only.
    pub fn create_instance(&mut self, path: &Path) -> Result<Path, Refusal> {
        let object = self.tree.object(path)?;
        let free = (0..u16::MAX).find(|id| !object.instances.contains_key(id));
        let id = path.instance().or(free).unwrap_or_default();
        if object.instances.contains_key(&id) {
            return Err(Refusal::bad_request(format!(
                "instance {id} already exists"
            )));
        }
        if !object.model.multiple && !object.instances.is_empty() {
            return Err(Refusal::bad_request(format!(
                "object {path} takes one instance"
            )));
        }
        let created = path.ancestor(1).child(id);
        generic_instance(&mut self.tree, &created);
        self.instances_changed();
        Ok(created)
    }

    /// Takes an object instance away; an Update tells it to the server.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn delete_instance(&mut self, path: &Path) -> Result<(), Refusal> {
        if path.depth() != 2 {
            return Err(Refusal::bad_request(format!(
                "{path} is no object instance"
            )));
        }
        self.tree.instance(path)?;
        self.tree.remove_instance(path);
        self.instances_changed();
        Ok(())
    }

    /// Sets a value that is given as text, of the type its resource has.
    ///
    /// # Errors
    ///
    /// When there is no such place or the text is no value of this type.
    pub fn put_text(&mut self, path: &Path, text: &str) -> Result<(), Refusal> {
        self.tree.instance(path)?;
        let Some(model) = self.tree.model_of(path) else {
            return Err(Refusal::not_found(format!(
                "{path} is no resource of its object"
            )));
        };
        let wanted = model.value;
        let value = wanted.parse(text).filter(|_| !model.executable);
        let Some(value) = value else {
            return Err(Refusal::bad_request(format!(
                "`{text}` is no value of {path}, which is {wanted:?}"
            )));
        };
        if self.put_at(path, value) {
            Ok(())
        } else {
            Err(Refusal::bad_request(format!(
                "{path}: the resource has instances, or has none"
            )))
        }
    }

    /// What a Discover of this path would show, one link a line; for the root, of every object.
    ///
    /// # Errors
    ///
    /// When there is nothing.
    pub fn links(&self, path: &Path) -> Result<Vec<String>, Refusal> {
        let ids: Vec<Path> = match path.depth() {
            0 => objects_of(&self.tree),
            _ => vec![*path],
        };
        let mut links = Vec::new();
        for path in ids {
            let below = links_below(&self.tree, &self.abilities, &path)?;
            links.extend(below.split(',').map(str::to_owned));
        }
        Ok(links)
    }

    fn instances_changed(&mut self) {
        self.dirty = true;
        self.objects_changed();
    }
}

fn objects_of(tree: &Tree) -> Vec<Path> {
    tree.objects.keys().map(|&id| Path::new(&[id])).collect()
}
