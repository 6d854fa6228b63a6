package rookery.interop;

import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Collection;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentSkipListSet;

import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.resource.BaseInstanceEnablerFactory;
import org.eclipse.leshan.client.resource.LwM2mInstanceEnabler;
import org.eclipse.leshan.client.resource.LwM2mObjectEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.core.LwM2m.LwM2mVersion;
import org.eclipse.leshan.core.LwM2mId;
import org.eclipse.leshan.core.model.InvalidDDFFileException;
import org.eclipse.leshan.core.model.ObjectLoader;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.StaticModel;
import org.eclipse.leshan.core.request.BindingMode;

/** The objects of the device: Security, Server, and those of {@link InitialValues} that it has a model of. */
final class Objects {

    private static final int SHORT_SERVER_ID = 123;

    private final Set<String> observed = new ConcurrentSkipListSet<>();
    private final List<LwM2mObjectEnabler> enablers;

    Objects(Options options, Events events) {
        Map<Integer, ObjectModel> models = models(options);

        ObjectsInitializer initializer = new ObjectsInitializer(new StaticModel(models.values()));
        if (options.bootstrap()) {
            initializer.setInstancesForObject(LwM2mId.SECURITY,
                    options.credentials().bootstrap(options.serverUri()));
            initializer.setClassForObject(LwM2mId.SERVER, Server.class);
        } else {
            initializer.setInstancesForObject(LwM2mId.SECURITY,
                    options.credentials().security(options.serverUri(), SHORT_SERVER_ID));
            initializer.setInstancesForObject(LwM2mId.SERVER, server(options));
        }
        for (int object : InitialValues.OBJECTS) {
            if (models.containsKey(object)) {
                addInstances(initializer, object, events);
            }
        }
        this.enablers = initializer.createAll();
    }

    List<LwM2mObjectEnabler> enablers() {
        return enablers;
    }

    /** Paths the server has asked to observe. */
    Set<String> observed() {
        return new TreeSet<>(observed);
    }

    /**
     * The object versions of that LwM2M version; Security, which no server sees, as the library wants it; then those
     * of the command line.
     */
    private static Map<Integer, ObjectModel> models(Options options) {
        Map<Integer, ObjectModel> models = new TreeMap<>();
        ObjectLoader.loadDefault(options.version()).forEach(model -> models.put(model.id, model));
        ObjectLoader.loadDefault().stream().filter(model -> model.id == LwM2mId.SECURITY)
                .forEach(model -> models.put(model.id, model));
        options.models().forEach(file -> definitions(file).forEach(model -> models.put(model.id, model)));
        return models;
    }

    private static List<ObjectModel> definitions(String file) {
        try (InputStream xml = new FileInputStream(file)) {
            return ObjectLoader.loadDdfFile(xml, file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InvalidDDFFileException e) {
            throw new IllegalArgumentException(file + " is no object definition", e);
        }
    }

    /** The instances it starts with, and the means to make more of them at a Create. */
    private void addInstances(ObjectsInitializer initializer, int object, Events events) {
        initializer.setFactoryForObject(object, new BaseInstanceEnablerFactory() {
            @Override
            public LwM2mInstanceEnabler create() {
                return new ReportingInstance(Map.of(), events, observed);
            }

            /** Without an id of the server's: the lowest free one. */
            @Override
            protected int getNewInstanceId(Collection<Integer> taken) {
                int id = 0;
                while (taken.contains(id)) {
                    id++;
                }
                return id;
            }
        });
        LwM2mInstanceEnabler[] instances = InitialValues.instances(object).entrySet().stream()
                .map(instance -> instance(object, instance.getKey(), instance.getValue(), events))
                .toArray(LwM2mInstanceEnabler[]::new);
        initializer.setInstancesForObject(object, instances);
    }

    private LwM2mInstanceEnabler instance(int object, int id, Map<Integer, Object> values, Events events) {
        ReportingInstance instance = object == LwM2mId.DEVICE ? new DeviceInstance(values, events, observed)
                : new ReportingInstance(values, events, observed);
        instance.setId(id);
        return instance;
    }

    private static Server server(Options options) {
        BindingMode preferred = options.version().equals(LwM2mVersion.V1_0) ? null : BindingMode.U;
        return new Server(SHORT_SERVER_ID, options.lifetime(), EnumSet.of(BindingMode.U), false, preferred);
    }
}
